import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { systemTimer, type Timer } from '@mayfly/client';
import { underLock } from './process-lock.js';

/** A timer whose waits end at once and move its clock. */
const hasty = (): Timer => {
  let waited = 0;
  return { now: () => waited, wait: async (milliseconds) => void (waited += milliseconds) };
};
const patient = () => ({ timer: systemTimer, until: systemTimer.now() + 30_000 });

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'mayfly-lock-'));
  path = join(directory, 'one.lock');
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

/** The lock of another process, which has died. */
async function leaveBehind(): Promise<void> {
  const mine = await underLock(path, patient(), async () => readFileSync(path, 'utf8'));
  const { pid } = spawnSync('true');
  writeFileSync(path, JSON.stringify({ ...(JSON.parse(mine) as object), pid }));
}

describe('a lock between processes', () => {
  it('a lock between processes lets one act after the other, and is gone afterwards, also after a failure', async () => {
    const events: string[] = [];
    const act = (name: string) => async () => {
      events.push(`${name} begins`);
      await systemTimer.wait(5);
      events.push(`${name} ends`);
    };
    await Promise.all([underLock(path, patient(), act('a')), underLock(path, patient(), act('b'))]);
    expect(events.map((event) => event.slice(2))).toEqual(['begins', 'ends', 'begins', 'ends']);
    const failing = underLock(path, patient(), async () => Promise.reject(new Error('it failed')));
    await expect(failing).rejects.toThrow('it failed');
    expect(readdirSync(directory)).toEqual([]);
  });

  it('a lock between processes is not waited for beyond the limit, and the one who holds it keeps it', async () => {
    await underLock(path, patient(), async () => {
      const second = underLock(path, { timer: hasty(), until: 1000 }, async () => undefined);
      await expect(second).rejects.toMatchObject({ exitCode: 4, message: expect.stringContaining('another process') });
      expect(existsSync(path)).toBe(true);
    });
  });

  it('a lock between processes is given up once another process has brought the awaited session', async () => {
    await underLock(path, patient(), async () => {
      const brought = underLock(path, { ...patient(), instead: async () => 'brought' }, async () => 'made');
      expect(await brought).toBe('brought');
    });
  });

  it('a lock of a dead process is taken over at once by one waiting process', async () => {
    await leaveBehind();
    let [inside, most, served] = [0, 0, 0];
    const act = async (): Promise<void> => {
      inside += 1;
      most = Math.max(most, inside);
      await systemTimer.wait(2);
      inside -= 1;
      served += 1;
    };
    await Promise.all(Array.from({ length: 12 }, () => underLock(path, patient(), act)));
    expect({ most, served }).toEqual({ most: 1, served: 12 });
    expect(readdirSync(directory)).toEqual([]);
  });

  it.each([
    ['half written', ''],
    ['of another machine', JSON.stringify({ id: 'x', pid: spawnSync('true').pid, space: 'elsewhere pid:[1]' })],
  ])('a lock with an unknown owner (%s) is respected until it is old', async (_, text) => {
    writeFileSync(path, text);
    await expect(underLock(path, { timer: hasty(), until: 500 }, async () => 1)).rejects.toThrow('another process');
    const before = new Date(Date.now() - 60_000);
    utimesSync(path, before, before);
    expect(await underLock(path, patient(), async () => 1)).toBe(1);
  });
});
