import { beforeEach, describe, expect, it } from '@jest/globals';
import type { AuditEntry } from '@mayfly/audit';
import { Problem, type JsonObject } from '@mayfly/kernel';
import { TestClock } from '@mayfly/testing';
import type { Principal } from './principal.js';
import { RefusalRecorder } from './refusal.recorder.js';

let written: JsonObject[];
let denied: string[];
let clock: TestClock;
let recorder: RefusalRecorder;
beforeEach(() => {
  written = [];
  denied = [];
  clock = new TestClock();
  const record = (entries: readonly AuditEntry[]): Promise<void> => {
    written.push(...entries.map(({ body }) => JSON.parse(body) as JsonObject));
    return Promise.resolve();
  };
  recorder = new RefusalRecorder({ record }, { denied: (control) => void denied.push(control) }, clock);
});

const principal = (kind: 'agent' | 'person' | 'workload', subject: string) =>
  ({
    kind,
    identity: { issuer: 'ci', subject },
    agent: { name: subject },
    runtime: 'laptop',
    roles: [],
  }) as unknown as Principal;

async function forbid(count: number, who: (index: number) => Principal): Promise<void> {
  for (let i = 0; i < count; i += 1) await recorder.forbidden(who(i), 'GET /issuances');
}

describe('refusals in the audit', () => {
  it.each(['agent', 'person', 'workload'] as const)(
    'are ten a second for one %s; the next says what is missing',
    async (kind) => {
      await forbid(500, () => principal(kind, 'loud'));
      expect(written).toHaveLength(10);
      clock.advance(1);
      await forbid(1, () => principal(kind, 'loud'));
      expect(written.at(-1)).toMatchObject({ type: 'request.forbidden', suppressedBefore: 490, control: 'permission' });
      expect(denied).toHaveLength(501);
    },
  );

  it('are fifty a second for all workloads that are no agent, under however many names', async () => {
    await forbid(500, (index) => principal('workload', `name-${String(index)}`));
    expect(written).toHaveLength(50);
    expect(denied).toHaveLength(500);
  });

  it('of one caller do not hide those of another', async () => {
    await forbid(500, (index) => principal('workload', `name-${String(index)}`));
    await forbid(500, () => principal('agent', 'loud'));
    await forbid(1, () => principal('person', 'auditor'));
    await recorder.unauthenticated(new Problem('unauthenticated', 'send a token'), 'GET /tasks');
    expect(written.slice(-2)).toMatchObject([
      { actor: { kind: 'person', subject: 'auditor' }, suppressedBefore: 0 },
      { type: 'identity.refused', suppressedBefore: 0, reason: 'no_token' },
    ]);
  });

  it('of strangers are fifty a second, and all are counted in the metrics', async () => {
    const refuse = () => recorder.unauthenticated(new Problem('unauthenticated', 'send a token'), 'GET /tasks');
    for (let i = 0; i < 120; i += 1) await refuse();
    expect(written).toHaveLength(50);
    clock.advance(1);
    await refuse();
    expect(written.at(-1)).toMatchObject({ suppressedBefore: 70 });
    expect(denied).toHaveLength(121);
  });
});
