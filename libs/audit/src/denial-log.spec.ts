import { beforeEach, describe, expect, it } from '@jest/globals';
import { addSeconds, type Clock, type JsonObject } from '@mayfly/kernel';
import { DenialLog, type Denial } from './denial-log.js';
import { MAYFLY, type AuditEntry } from './entry.js';

const START = new Date('2030-01-01T00:00:00Z');

let now: Date;
let written: JsonObject[];
let told: JsonObject[];
let isDown: boolean;
let denials: DenialLog;
const clock: Clock = { now: () => now };

beforeEach(() => {
  [now, written, told, isDown] = [START, [], [], false];
  const record = async (entries: readonly AuditEntry[]): Promise<void> => {
    if (isDown) throw new Error('no space left');
    written.push(...entries.map(({ body }) => JSON.parse(body) as JsonObject));
  };
  denials = new DenialLog({ record }, clock, (summary) => told.push(summary));
});

const denial = (n: number): Denial => ({
  ...{ type: 'task.denied', actor: MAYFLY, subject: { agent: 'loud' } },
  facts: {
    ...{ control: 'runtime', detail: 'another runtime', template: 'read-cases', purpose: String(n), controls: [] },
    identity: { issuer: 'ci', subject: 'loud' },
  },
  ...{ group: { control: 'runtime' }, limit: 3 },
});

async function deny(count: number): Promise<void> {
  for (let n = 0; n < count; n += 1) await denials.record(denial(n));
}

describe('the log of denials', () => {
  it('the log of denials writes the first of a minute, and then one entry with the exact number of the others', async () => {
    await deny(10);
    await denials.flush();
    expect(written.map(({ purpose }) => purpose)).toEqual(['0', '1', '2']);
    now = addSeconds(START, 60);
    await denials.flush();
    expect(written.at(-1)).toMatchObject({
      ...{ type: 'task.denied', agent: 'loud', control: 'runtime', count: 7, actor: MAYFLY },
      ...{ from: START.toISOString(), to: START.toISOString() },
    });
    expect(told).toMatchObject([{ type: 'task.denied', agent: 'loud', control: 'runtime', count: 7 }]);
    await denials.flush('all');
    expect(written).toHaveLength(4);
  });

  it('the log of denials writes what it has counted so far when it is closed', async () => {
    await deny(4);
    await denials.flush('all');
    expect(written.at(-1)).toMatchObject({ count: 1 });
  });

  it('the log of denials loses no count while nothing can be written', async () => {
    isDown = true;
    await expect(deny(1)).rejects.toThrow('no space left');
    denials.admit(denial(1));
    denials.writeLater(denial(1));
    await deny(1).catch(() => undefined);
    await deny(5);
    await expect(denials.flush('all')).rejects.toThrow('no space left');
    isDown = false;
    await denials.flush('all');
    expect(written).toMatchObject([{ count: 8 }]);
  });

  it('the log of denials waits, when it is closed, for the entries whose callers were answered already', async () => {
    denials.admit(denial(0));
    denials.writeLater(denial(0));
    await denials.flush('all');
    expect(written).toHaveLength(1);
  });
});
