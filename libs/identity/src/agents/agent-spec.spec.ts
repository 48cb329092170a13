import { describe, expect, it } from '@jest/globals';
import { IssuerSpecSchema, type IssuerSpec } from '../issuers/issuer-spec.js';
import { agentIdentityErrors, AgentSpecSchema } from './agent-spec.js';

const identity = { issuer: 'ci', subject: 'support-agent', runtime: 'developer-laptop' };
const alone = { issuer: 'ci', runtime: 'developer-laptop', claims: { client_id: 'x' } };
const minimal = { owner: 'support-platform', backupOwner: 'crm-platform', identities: [identity] };

describe('AgentSpecSchema', () => {
  it('AgentSpecSchema accepts an owner, another owner and an identity', () => {
    expect(AgentSpecSchema.parse(minimal)).toEqual(minimal);
  });

  it.each<[string, object]>([
    ['a client without a subject', { client_id: 'agent-ed' }],
    ['numbers, and true and false', { project_id: 42, protected: true, azp: 'x' }],
  ])('AgentSpecSchema accepts claims alone: %s', (_, claims) => {
    const { subject: _subject, ...alone } = identity;
    expect(AgentSpecSchema.safeParse({ ...minimal, identities: [{ ...alone, claims }] }).error).toBeUndefined();
  });

  it.each([
    ['*', 'leave `subject` out and bind by `claims` alone'],
    [undefined, 'state `subject`, or at least one claim such as `client_id`'],
  ])('AgentSpecSchema says what to write in place of the subject %s', (subject, words) => {
    const result = AgentSpecSchema.safeParse({ ...minimal, identities: [{ ...identity, subject }] });
    expect(result.error?.message).toContain(words);
  });

  it.each([
    ['no owner', { owner: undefined }, 'owner'],
    ['one owner twice', { backupOwner: 'support-platform' }, 'backupOwner'],
    ['an unknown key', { runtime: 'laptop' }, ''],
    ['no identity', { identities: [] }, 'identities'],
    ['33 identities', { identities: Array(33).fill(identity) }, 'identities'],
    ['a raw prefix', { identities: [{ ...identity, subject: 'repo:org/*x' }] }, 'identities.0.subject'],
    ['a subject beyond ASCII', { identities: [{ ...identity, subject: 'agént' }] }, 'identities.0.subject'],
    ['a runtime that is no name', { identities: [{ ...identity, runtime: 'My Laptop' }] }, 'identities.0.runtime'],
    ['a claim that is a list', { identities: [{ ...identity, claims: { id: ['1'] } }] }, 'identities.0.claims.id'],
    [
      'a claim that is no whole number',
      { identities: [{ ...identity, claims: { id: 1.5 } }] },
      'identities.0.claims.id',
    ],
    ['a number that JSON rounds', { identities: [{ ...identity, claims: { id: 2 ** 53 } }] }, 'identities.0.claims.id'],
    ['every subject', { identities: [{ ...identity, subject: '*' }] }, 'identities.0.subject'],
    ['neither subject nor claims', { identities: [{ ...identity, subject: undefined }] }, 'identities.0.claims'],
    ['no claim', { identities: [{ ...identity, subject: undefined, claims: {} }] }, 'identities.0.claims'],
    [
      'claims alone that people choose',
      { identities: [{ ...identity, subject: undefined, claims: { email: 'a@b.example', scope: 'x' } }] },
      'identities.0.claims',
    ],
    [
      '17 claims',
      {
        identities: [
          { ...identity, claims: Object.fromEntries(Array.from({ length: 17 }, (_, n) => [`claim${String(n)}`, 'x'])) },
        ],
      },
      'identities.0.claims',
    ],
  ])('AgentSpecSchema refuses %s', (_, spec, path) => {
    const result = AgentSpecSchema.safeParse({ ...minimal, ...spec });
    expect(result.error?.issues.map((issue) => issue.path.join('.'))).toEqual([path]);
  });
});

describe('agentIdentityErrors', () => {
  const issuer = (spec: object): IssuerSpec =>
    IssuerSpecSchema.parse({
      profile: 'oidc',
      issuer: 'https://ci.example',
      audiences: ['mayfly'],
      algorithms: ['ES256'],
      keys: { jwks: { keys: [] } },
      ...spec,
    });
  const issuers = new Map([
    ['ci', issuer({})],
    ['staff', issuer({ roles: { auditor: { claim: 'groups', values: ['audit'] } } })],
    ['mesh', issuer({ profile: 'spiffe-jwt', issuer: 'spiffe://prod.example' })],
    ['cluster', issuer({ profile: 'kubernetes' })],
    ['hub', issuer({ profile: 'github-actions' })],
  ]);

  it.each([
    ['an oidc subject', identity],
    ['a SPIFFE ID of the domain', { ...identity, issuer: 'mesh', subject: 'spiffe://PROD.example/agent' }],
    ['a service account', { ...identity, issuer: 'cluster', subject: 'system:serviceaccount:crm:agent' }],
    ['a repository by id', { ...identity, issuer: 'hub', subject: 'repo:org/app:*', claims: { repository_id: '1' } }],
    ['an oidc client', { issuer: 'ci', runtime: 'laptop', claims: { client_id: 'agent-ed' } }],
    ['an agent beside people', { ...identity, issuer: 'staff' }],
    ['an owner by id', { ...identity, issuer: 'hub', subject: 'repo:org/*:x', claims: { repository_owner_id: '1' } }],
  ])('agentIdentityErrors accepts %s', (_, declared) => {
    expect(agentIdentityErrors({ ...minimal, identities: [declared] }, issuers)).toEqual([]);
  });

  it.each([
    ['an issuer that does not exist', { ...identity, issuer: 'nobody' }, 'issuer', 'there is no issuer `nobody`'],
    ['a trust domain without a subject', { ...alone, issuer: 'mesh' }, 'subject', 'state `subject`'],
    ['a cluster without a subject', { ...alone, issuer: 'cluster' }, 'subject', 'state `subject`'],
    [
      'a job without a subject',
      { ...alone, issuer: 'hub', claims: { repository_id: '1' } },
      'subject',
      'only a binding to an oidc issuer may leave it out',
    ],
    [
      'another trust domain',
      { ...identity, issuer: 'mesh', subject: 'spiffe://prod.example.evil/agent' },
      'subject',
      'trust domain',
    ],
    ['no service account', { ...identity, issuer: 'cluster' }, 'subject', 'system:serviceaccount'],
    ['a repository by name only', { ...identity, issuer: 'hub', claims: { repository: 'a/b' } }, 'claims', '_id'],
    ['a job without claims', { ...identity, issuer: 'hub' }, 'claims', 'repository_owner_id'],
  ])('agentIdentityErrors points at %s', (_, declared, field, words) => {
    const errors = agentIdentityErrors({ ...minimal, identities: [identity, declared] }, issuers);
    expect(errors).toEqual([{ pointer: `/identities/1/${field}`, detail: expect.stringContaining(words) }]);
  });
});
