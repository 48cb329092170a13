import { beforeEach, describe, expect, it } from '@jest/globals';
import { BrokerProblem, BrokerUnreachable, type Task } from '@mayfly/client';
import { TaskKeeper } from './task-keeper.js';
import { taskAnswer } from './task.fixture.js';
import { VirtualTimer } from './timer.fixture.js';

/** The broker's time when the virtual timer starts: more than an hour away from the clock of this machine. */
const EPOCH = Date.parse('2026-11-22T14:00:00Z');
const LIFE_SECONDS = 90;
const at = (seconds: number): string => new Date(EPOCH + seconds * 1000).toISOString();

let timer: VirtualTimer;
let told: string[];
let asked: string[];
/** what the broker throws from now on */
let fault: Error | undefined;
let maxSeconds: number;
let controller: AbortController;
let credentials: Task['credentials'];

function taskAt(expires: number, heartbeat?: number): Task {
  return taskAnswer({
    ...{ createdAt: at(0), expiresAt: at(expires), maxExpiresAt: at(maxSeconds), credentials },
    ...(heartbeat === undefined ? {} : { heartbeatAt: at(0), heartbeatTimeoutSeconds: heartbeat }),
  });
}

/** Keeps a task at a broker that renews for the requested lifetime, unless `fault` is set. */
function keep(heartbeat?: number, wordsOf?: (error: unknown) => string): Promise<void> {
  const answer = (what: string): Task => {
    const now = timer.now() / 1000;
    asked.push(`${what} at ${now.toFixed(0)}`);
    if (fault !== undefined) throw fault;
    return taskAt(Math.min(now + LIFE_SECONDS, maxSeconds), heartbeat);
  };
  const keeper = new TaskKeeper(
    {
      renew: async () => answer('renew'),
      heartbeat: async () => answer('heartbeat'),
      view: async () => answer('view'),
    },
    timer,
    {
      renewed: async ({ expiresAt }) => void told.push(`renewed until ${expiresAt.slice(11, 19)}`),
      notRenewed: (end, why) => told.push(`ends ${end.slice(11, 19)}: ${why}`),
      ended: (why) => told.push(`ended: ${why}`),
    },
    { ttlSeconds: LIFE_SECONDS, ...(wordsOf === undefined ? {} : { wordsOf }) },
  );
  return keeper.keep({ task: taskAt(LIFE_SECONDS, heartbeat), askedAt: 0 }, controller.signal);
}

beforeEach(() => {
  [timer, told, asked, fault, maxSeconds] = [new VirtualTimer(), [], [], undefined, 10_000];
  [controller, credentials] = [new AbortController(), []];
});

describe('a task whose command runs', () => {
  it('a task whose command runs is renewed when two thirds of its life are over', async () => {
    void keep();
    await timer.passUntil(200_000);
    expect(asked).toEqual(['renew at 60', 'renew at 120', 'renew at 180']);
    expect(told[0]).toBe('renewed until 14:02:30');
  });

  it('a task whose command runs is renewed no more once its command has ended', async () => {
    const kept = keep();
    await timer.passUntil(70_000);
    controller.abort();
    await kept;
    await timer.passUntil(1_000_000);
    expect(asked).toEqual(['renew at 60']);
  });

  it('a task whose command runs outlives a broker that is away for less than a third of its life', async () => {
    void keep();
    await timer.passUntil(55_000);
    fault = new BrokerUnreachable('http://x', 'ECONNREFUSED');
    await timer.passUntil(80_000);
    expect(asked.length).toBeGreaterThan(3);
    fault = undefined;
    await timer.passUntil(120_000);
    expect(told[0]).toMatch(/^renewed/);
  });

  it('a task whose command runs outlives an identity token that is replaced late, and a broker that has too much to do', async () => {
    void keep();
    fault = new BrokerProblem(401, 'unauthenticated', 'the token has expired');
    await timer.passUntil(65_000);
    fault = new BrokerProblem(429, 'quota_exceeded', 'busy', {}, 5);
    await timer.passUntil(75_000);
    fault = undefined;
    await timer.passUntil(89_000);
    expect(told).toHaveLength(1);
  });

  it('a kept task gives a notice when the broker was away for too long', async () => {
    const kept = keep();
    fault = new BrokerUnreachable('http://x', 'ECONNREFUSED');
    await timer.passUntil(200_000);
    await kept;
    expect(told).toEqual(['ends 14:01:30: the broker at http://x does not answer (ECONNREFUSED)']);
  });

  it('a task whose command runs is renewed up to the longest life of its template, and that is said ahead of it', async () => {
    maxSeconds = 130;
    const kept = keep();
    await timer.passUntil(61_000);
    await kept;
    expect(asked).toEqual(['renew at 60']);
    expect(told).toEqual(['renewed until 14:02:10', 'ends 14:02:10: the longest life of the template is reached']);
  });

  it('a task whose command runs is not asked for again when a control refuses', async () => {
    void keep();
    fault = new BrokerProblem(403, 'policy_denied', 'no longer');
    await timer.passUntil(300_000);
    expect(asked).toEqual(['renew at 60']);
    expect(told).toEqual(['ends 14:01:30: no longer']);
  });

  it('a kept task sends three heartbeats in the time that the template allows', async () => {
    void keep(30);
    await timer.passUntil(45_000);
    expect(asked).toEqual(['heartbeat at 10', 'heartbeat at 20', 'heartbeat at 30', 'heartbeat at 40']);
  });

  it('a kept task sends no heartbeat when its template requires none', async () => {
    void keep();
    await timer.passUntil(59_000);
    expect(asked).toEqual([]);
  });

  it('a kept task reports an error with the text of its caller', async () => {
    const kept = keep(30, (error) => `${(error as BrokerProblem).code}!`);
    fault = new BrokerProblem(404, 'not_found', 'there is no task `tsk_1`');
    await timer.passUntil(11_000);
    await kept;
    expect(told).toEqual(['ended: not_found!']);
  });

  it('a kept task continues its heartbeats over an outage', async () => {
    void keep(30);
    fault = new BrokerUnreachable('http://x', 'ECONNRESET');
    await timer.passUntil(25_000);
    fault = undefined;
    await timer.passUntil(45_000);
    expect(asked).toHaveLength(4);
    expect(told).toEqual([]);
  });

  it('a task whose command runs is renewed at once when its AWS session was cut off with others, and looked at for nothing else', async () => {
    const session = {
      ...{ leaseId: 'lse_1', name: 's3', provider: 'aws-sts' },
      ...({ state: 'active', revocation: 'propagating' } as const),
    };
    credentials = [{ ...session, expiresAt: at(LIFE_SECONDS) }];
    void keep();
    await timer.passUntil(15_000);
    credentials = [{ ...session, expiresAt: at(LIFE_SECONDS), renewRequestedAt: at(16) }];
    await timer.passUntil(25_000);
    expect(asked).toEqual(['view at 10', 'view at 20', 'renew at 20']);
  });

  it('a task that another caller ended is no longer renewed, with one notice', async () => {
    const kept = keep(30);
    fault = new BrokerProblem(409, 'conflict', 'task `tsk_1` is ending or has ended');
    await timer.passUntil(300_000);
    await kept;
    expect(asked).toEqual(['heartbeat at 10']);
    expect(told).toEqual(['ended: task `tsk_1` is ending or has ended']);
  });
});
