import { describe, expect, it } from '@jest/globals';
import { identityRefusalReason } from '../identity-refusal.js';
import type { VerifiedIdentity } from '../verified-identity.js';
import { bindingsOf, type AgentBinding } from './agent-binding.js';
import { bindIdentity, BindingIndex } from './binding-index.js';

const workload: VerifiedIdentity = {
  issuer: 'ci',
  issuerUrl: 'https://ci.example',
  acceptedBy: ['ci'],
  issuerNames: ['ci'],
  subject: 'support-agent',
  profile: 'oidc',
  kind: 'workload',
  roles: [],
  groups: [],
  fitsRole: false,
  issuedAt: new Date(0),
  expiresAt: new Date(1),
  singleUse: false,
  claims: {},
};
const person = { kind: 'person', roles: ['auditor'], fitsRole: true } as const;
const client: VerifiedIdentity = { ...workload, claims: { azp: 'agent-ed', seats: 3, protected: true } };
const job: VerifiedIdentity = {
  ...workload,
  issuer: 'hub',
  acceptedBy: ['hub'],
  issuerNames: ['hub'],
  profile: 'github-actions',
  subject: 'repo:org/app:ref:main',
  claims: { repository_id: '1', event_name: 'push' },
};

function binding(agent: string, more: Partial<AgentBinding> = {}): AgentBinding {
  return { agent, issuer: 'ci', subject: 'support-agent', runtime: 'laptop', ...more };
}

function alone(agent: string, claims: NonNullable<AgentBinding['claims']>): AgentBinding {
  return { agent, issuer: 'ci', runtime: 'laptop', claims };
}

function outcome(identity: VerifiedIdentity, bindings: readonly AgentBinding[]): string | undefined {
  try {
    const { agent, runtime } = bindIdentity(identity, bindings);
    return `${agent}@${runtime}`;
  } catch (error) {
    return identityRefusalReason(error);
  }
}

const hub = (agent: string, more: Partial<AgentBinding> = {}): AgentBinding =>
  binding(agent, { issuer: 'hub', subject: 'repo:org/app:ref:*', claims: { repository_id: '1' }, ...more });

describe('a claim of another type', () => {
  it.each([
    [42, '42', 'id'],
    ['42', 42, 'id'],
    [true, 'true', 'id'],
    [42, 42, undefined],
    [42, '43', undefined],
  ])('a claim of another type bound to %j and held as %j is named: %s', (bound, held, claim) => {
    const index = new BindingIndex([{ agent: 'ed', issuer: 'ci', runtime: 'k8s', claims: { id: bound } }]);
    const near = index.claimOfOtherType({ acceptedBy: ['ci'], claims: { id: held } } as unknown as VerifiedIdentity);
    expect(near?.claim).toBe(claim);
  });
});

describe('bindIdentity', () => {
  it.each<[string, VerifiedIdentity, AgentBinding[], string]>([
    ['an exact subject', workload, [binding('other', { subject: 'x' }), binding('support')], 'support@laptop'],
    ['nobody', workload, [], 'no_agent'],
    ['the same subject of another issuer', workload, [binding('support', { issuer: 'cd' })], 'no_agent'],
    ['a subject that ours is the beginning of', workload, [binding('support', { subject: 'support' })], 'no_agent'],
    [
      'exact before pattern',
      { ...workload, subject: 'a:b' },
      [binding('wide', { subject: 'a:*' }), binding('narrow', { subject: 'a:b' })],
      'narrow@laptop',
    ],
    [
      'a pattern where the exact one asks for other claims',
      { ...workload, subject: 'a:b' },
      [binding('wide', { subject: 'a:*' }), binding('narrow', { subject: 'a:b', claims: { env: 'prod' } })],
      'wide@laptop',
    ],
    ['two agents', workload, [binding('one'), binding('two')], 'ambiguous_agent'],
    ['two runtimes', workload, [binding('one'), binding('one', { runtime: 'ci' })], 'ambiguous_agent'],
    ['one agent twice', workload, [binding('one'), binding('one')], 'one@laptop'],
    [
      'two patterns',
      { ...workload, subject: 'a:b:c' },
      [binding('one', { subject: 'a:*:c' }), binding('two', { subject: 'a:b:*' })],
      'ambiguous_agent',
    ],
    [
      'agents told apart by a claim',
      { ...workload, claims: { env: 'prod' } },
      [binding('test', { claims: { env: 'test' } }), binding('prod', { claims: { env: 'prod' } })],
      'prod@laptop',
    ],
    ['a claim that is missing', workload, [binding('one', { claims: { toString: 'x' } })], 'no_agent'],
    ['a person', { ...workload, ...person }, [], 'no_agent'],
    ['a person who is bound as an agent', { ...workload, ...person }, [binding('support')], 'person_and_agent'],
    [
      'a role with another token, and an agent with this one',
      { ...workload, fitsRole: true },
      [binding('support')],
      'person_and_agent',
    ],
    [
      'a person who is an agent with another token',
      { ...workload, ...person, acceptedBy: ['staff'], issuerNames: ['staff', 'ci'] },
      [binding('support')],
      'person_and_agent',
    ],
    [
      'a document that does not accept the token',
      { ...workload, acceptedBy: ['staff'], issuerNames: ['staff', 'ci'] },
      [binding('support')],
      'no_agent',
    ],
    [
      'two agents by two documents of the issuer',
      { ...workload, acceptedBy: ['ci', 'ci-too'], issuerNames: ['ci', 'ci-too'] },
      [binding('one'), binding('two', { issuer: 'ci-too' })],
      'ambiguous_agent',
    ],
    ['claims alone', client, [alone('ed', { azp: 'agent-ed' })], 'ed@laptop'],
    ['claims alone of another value', client, [alone('ed', { azp: 'agent-e' })], 'no_agent'],
    ['claims alone of which one is missing', client, [alone('ed', { azp: 'agent-ed', env: 'prod' })], 'no_agent'],
    ['a number by its text', client, [alone('ed', { seats: '3' })], 'no_agent'],
    ['a number', client, [alone('ed', { seats: 3, protected: true })], 'ed@laptop'],
    ['a subject before claims alone', client, [alone('ed', { azp: 'agent-ed' }), binding('support')], 'support@laptop'],
    [
      'a pattern before claims alone',
      { ...client, subject: 'a:b' },
      [alone('ed', { azp: 'agent-ed' }), binding('wide', { subject: 'a:*' })],
      'wide@laptop',
    ],
    [
      'two agents by claims alone',
      client,
      [alone('ed', { azp: 'agent-ed' }), alone('sy', { seats: 3 })],
      'ambiguous_agent',
    ],
    [
      'a SPIFFE ID declared in capitals',
      { ...workload, subject: 'spiffe://prod.example/a' },
      [binding('mesh', { subject: 'SPIFFE://Prod.Example/a' })],
      'mesh@laptop',
    ],
    ['a job', job, [hub('code')], 'code@laptop'],
    [
      'a job of a repository with a longer name',
      { ...job, subject: 'repo:org/app-evil:ref:main' },
      [hub('code')],
      'no_agent',
    ],
    [
      'a repository that took over the name',
      { ...job, claims: { ...job.claims, repository_id: '9' } },
      [hub('code')],
      'no_agent',
    ],
    ['a job bound by no id', job, [hub('code', { claims: { event_name: 'push' } })], 'no_agent'],
    ['a pull request', { ...job, claims: { ...job.claims, event_name: 'pull_request' } }, [hub('code')], 'no_agent'],
    [
      'a pull request target',
      { ...job, claims: { ...job.claims, event_name: 'pull_request_target' } },
      [hub('code')],
      'no_agent',
    ],
    ['an event that is not told', { ...job, claims: { repository_id: '1' } }, [hub('code')], 'no_agent'],
    [
      'a pull request where the binding names it',
      { ...job, claims: { ...job.claims, event_name: 'pull_request' } },
      [hub('review', { claims: { repository_id: '1', event_name: 'pull_request' } })],
      'review@laptop',
    ],
  ])('bindIdentity binds by issuer and subject or token claims: %s', (_, identity, bindings, expected) => {
    expect(outcome(identity, bindings)).toBe(expected);
    expect(outcome(identity, bindings.toReversed())).toBe(expected);
  });

  it('bindIdentity answers 403 with the change that helps', () => {
    expect(() => bindIdentity(workload, [])).toThrow(
      expect.objectContaining({ code: 'forbidden', detail: expect.stringContaining('no agent is bound') }),
    );
    expect(() => bindIdentity(workload, [binding('one'), binding('two')])).toThrow(
      expect.objectContaining({ code: 'forbidden', detail: expect.stringContaining('more than one agent') }),
    );
  });

  it('bindIdentity looks an exact subject up without trying the other 20,000', () => {
    const bindings = Array.from({ length: 20_000 }, (_, n) => binding(`agent-${String(n)}`, { subject: String(n) }));
    const index = new BindingIndex(bindings);
    const started = process.hrtime.bigint();
    for (let n = 0; n < 20_000; n++) index.bind({ ...workload, subject: String(n) });
    // A scan would take 400 million comparisons, tens of seconds.
    expect(Number(process.hrtime.bigint() - started) / 1e6).toBeLessThan(15_000);
  });
});

describe('bindingsOf', () => {
  it('bindingsOf gives one binding for each declared identity', () => {
    const identities = [
      { issuer: 'ci', subject: 'a', runtime: 'laptop' },
      { issuer: 'hub', subject: 'b', runtime: 'ci', claims: { repository_id: '1' } },
    ];
    expect(bindingsOf('support', { owner: 'a', backupOwner: 'b', identities })).toEqual([
      { agent: 'support', issuer: 'ci', subject: 'a', runtime: 'laptop' },
      { agent: 'support', issuer: 'hub', subject: 'b', runtime: 'ci', claims: { repository_id: '1' } },
    ]);
  });
});
