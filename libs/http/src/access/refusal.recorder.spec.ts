import { beforeEach, describe, expect, it } from '@jest/globals';
import { type AuditEntry, DenialLog } from '@mayfly/audit';
import { EgressRefused } from '@mayfly/egress';
import { agentRefused, IdentityVerifier, IssuerKeySource, type Principal, tokenMissing } from '@mayfly/identity';
import { type JsonObject, Problem } from '@mayfly/kernel';
import { FakeIssuer, TestClock } from '@mayfly/testing';
import { RefusalRecorder } from './refusal.recorder.js';

const SECRETS = /password=[^\s"\\]+|eyJ[\w-]{8,}(?:\.[\w-]*){0,4}/g;

let written: JsonObject[];
let lines: JsonObject[];
let denied: string[];
let reasons: string[];
let isDown: boolean;
let clock: TestClock;
let denials: DenialLog;
let recorder: RefusalRecorder;
beforeEach(() => {
  [written, lines, denied, reasons, isDown, clock] = [[], [], [], [], false, new TestClock()];
  const record = async (entries: readonly AuditEntry[]): Promise<void> => {
    if (isDown) throw new Problem('unavailable', 'no space left');
    written.push(...entries.map(({ body }) => JSON.parse(body) as JsonObject));
  };
  denials = new DenialLog({ record }, clock);
  recorder = new RefusalRecorder({
    denials,
    metrics: { denied: (control) => void denied.push(control), identityRefused: (reason) => void reasons.push(reason) },
    log: { warn: (line: JsonObject) => void lines.push(line) },
    redact: (text) => text.replace(SECRETS, '[redacted]'),
  });
});

const CALL = { route: 'GET /tasks/:id', requestId: 'req_1' };
const principal = (kind: 'agent' | 'person' | 'workload', subject: string) =>
  ({
    ...{ kind, requestId: 'req_1', identity: { issuer: 'ci', subject } },
    ...{ agent: { name: subject }, runtime: 'laptop', roles: [] },
  }) as unknown as Principal;

async function forbid(count: number, who: (index: number) => Principal): Promise<void> {
  for (let i = 0; i < count; i += 1) await recorder.forbidden(who(i), 'GET /issuances');
}

const ci = new FakeIssuer({ clock: { now: () => clock.now() } });
async function refusalOf(token: string): Promise<unknown> {
  const keySource = new IssuerKeySource({ fetchJson: async () => undefined, readFile: async () => '' }, clock);
  const verifier = new IdentityVerifier(keySource, clock);
  verifier.replaceIssuers([ci.trusted('ci')]);
  return verifier.verify(token).then(
    () => undefined,
    (error: unknown) => error,
  );
}

describe('refusals in the audit', () => {
  it.each(['agent', 'person'] as const)(
    'the audit has a hundred refusals a minute for one %s, and then one entry with the number of the others',
    async (kind) => {
      await forbid(500, () => principal(kind, 'loud'));
      expect(written).toHaveLength(100);
      clock.advance(60);
      await denials.flush();
      expect(written).toHaveLength(101);
      expect(written.at(-1)).toMatchObject({ type: 'request.forbidden', count: 400, control: 'permission' });
      expect(denied).toHaveLength(500);
    },
  );

  it('the audit has at most fifty refusals a minute for all workloads that are no agent, under any names', async () => {
    await forbid(100, () => principal('workload', 'loud'));
    expect(written).toHaveLength(10);
    await forbid(500, (index) => principal('workload', `name-${String(index)}`));
    await denials.flush('all');
    expect(written).toHaveLength(51);
    expect(written.at(-1)).toMatchObject({ issuer: 'ci', count: 550 });
  });

  it('refusals of one caller do not hide those of another', async () => {
    await forbid(500, (index) => principal('workload', `name-${String(index)}`));
    await forbid(500, () => principal('agent', 'loud'));
    await forbid(1, () => principal('person', 'auditor'));
    await recorder.identity(tokenMissing(), CALL);
    expect(written.slice(-2)).toMatchObject([
      { actor: { kind: 'person', subject: 'auditor' } },
      { type: 'identity.refused', reason: 'no_token' },
    ]);
  });

  it('refusals of one reason do not hide those of another, and each is in entries or counts, and in the metrics', async () => {
    for (let n = 0; n < 120; n += 1) await recorder.identity(tokenMissing(), CALL);
    await recorder.identity(await refusalOf('no token'), CALL);
    await denials.flush('all');
    expect(written.map(({ reason, count }) => [reason, count ?? 1])).toEqual([
      ...Array<unknown>(10).fill(['no_token', 1]),
      ['malformed', 1],
      ['no_token', 110],
    ]);
    expect(lines).toHaveLength(11);
    expect(reasons).toHaveLength(121);
    expect(denied).toEqual(Array(121).fill('identity'));
  });
});

describe('a refused identity', () => {
  it('a refused identity is in the audit and in one line of the log with what the token says, and with the id of the request', async () => {
    await recorder.identity(await refusalOf(ci.sign({ aud: ['a', 'b'] }, { typ: 'JWT' })), CALL);
    const facts = {
      ...{ reason: 'audience', issuer: 'ci', subject: 'support-agent', aud: ['a', 'b'] },
      ...{ kid: 'key-1', alg: 'ES256', typ: 'JWT', route: 'GET /tasks/:id' },
    };
    expect(written).toEqual([{ ...facts, requestId: 'req_1', ...ENTRY }]);
    expect(lines).toEqual([{ ...facts, reqId: 'req_1' }]);
  });

  it('a refused identity cannot write lines or secrets of its own', async () => {
    const [, , signature = ''] = ci.sign().split('.');
    const token = ci.sign({ iss: 'x\n{"level":60}\u001b[2J', sub: 'a' }, { kid: `password=hunter2 ${ci.sign()}` });
    await recorder.identity(await refusalOf(token), CALL);
    for (const text of [JSON.stringify(written), JSON.stringify(lines)]) {
      expect(text).toContain('x\\\\u{a}{\\"level\\":60}\\\\u{1b}[2J');
      for (const secret of ['hunter2', signature, ...token.split('.')]) expect(text).not.toContain(secret);
    }
  });

  it.each([
    ['password=hunter3', 'hunter3'],
    ['eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJsZWFreSJ9.c2lnbmF0dXJl', 'c2lnbmF0dXJl'],
  ])('a refused identity keeps no secret that its subject holds: %s', async (subject, secret) => {
    await recorder.identity(agentRefused('no_agent', { issuer: 'ci', subject }), CALL);
    await forbid(1, () => principal('person', subject));
    await forbid(1, () => principal('workload', subject));
    await denials.flush('all');
    expect(written).toHaveLength(3);
    for (const text of [JSON.stringify(written), JSON.stringify(lines)]) {
      expect(text).toContain('[redacted]');
      expect(text).not.toContain(secret);
    }
  });

  it('a refused identity that is proven and stands for no agent is its own actor', async () => {
    await recorder.identity(agentRefused('no_agent', { issuer: 'ci', subject: 'new' }), CALL);
    expect(written).toMatchObject([{ reason: 'no_agent', actor: { kind: 'workload', issuer: 'ci', subject: 'new' } }]);
  });

  it.each([
    ['keys_unavailable', new Error('the issuer is down')],
    ['keys_refused', new EgressRefused('private')],
  ])('a refused identity for %s has in the line of the log what went wrong with the keys', async (reason, fault) => {
    const access = { fetchJson: () => Promise.reject(fault), readFile: async () => '' };
    const keySource = new IssuerKeySource(access, clock);
    const verifier = new IdentityVerifier(keySource, clock);
    verifier.replaceIssuers([ci.trusted('ci', { keys: { jwksUri: 'https://ci.example/keys' } })]);
    await verifier.verify(ci.sign()).catch((error: unknown) => recorder.identity(error, CALL));
    expect(lines).toMatchObject([{ reason, issuer: 'ci', err: { cause: { cause: fault } } }]);
    expect(written).toMatchObject([{ reason, issuer: 'ci' }]);
  });

  it('a refused identity waits for the audit only when it is proven, so that no time tells what a token lacks', async () => {
    isDown = true;
    await recorder.identity(await refusalOf(ci.sign({}, { kid: 'other' })), CALL);
    await expect(recorder.identity(await refusalOf(ci.sign({ aud: 'x' })), CALL)).rejects.toThrow('no space left');
    isDown = false;
    await denials.flush('all');
    expect(written.map(({ reason, count }) => [reason, count])).toEqual([
      ['unknown_key', 1],
      ['audience', 1],
    ]);
  });

  it('a refused identity is nothing that other problems are', async () => {
    await recorder.identity(new Problem('unavailable', 'the database does not answer'), CALL);
    expect([written, lines, denied]).toEqual([[], [], []]);
  });
});

const ENTRY = {
  factsVersion: 1,
  id: expect.any(String),
  at: expect.any(String),
  type: 'identity.refused',
  actor: { kind: 'mayfly' },
};
