import { describe, expect, it } from '@jest/globals';
import { IssuerSpecSchema, type IssuerSpec } from '../issuers/issuer-spec.js';
import { agentIdentityErrors, AgentSpecSchema } from './agent-spec.js';

const identity = { issuer: 'ci', subject: 'support-agent', runtime: 'developer-laptop' };
const minimal = { owner: 'support-platform', backupOwner: 'crm-platform', identities: [identity] };

describe('AgentSpecSchema', () => {
  it('accepts an owner, another owner and an identity', () => {
    expect(AgentSpecSchema.parse(minimal)).toEqual(minimal);
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
    ['a claim that is no text', { identities: [{ ...identity, claims: { id: 1 } }] }, 'identities.0.claims.id'],
    [
      '17 claims',
      {
        identities: [
          { ...identity, claims: Object.fromEntries(Array.from({ length: 17 }, (_, n) => [`claim${String(n)}`, 'x'])) },
        ],
      },
      'identities.0.claims',
    ],
  ])('refuses %s', (_, spec, path) => {
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
    ['an owner by id', { ...identity, issuer: 'hub', subject: 'repo:org/*:x', claims: { repository_owner_id: '1' } }],
  ])('has nothing against %s', (_, declared) => {
    expect(agentIdentityErrors({ ...minimal, identities: [declared] }, issuers)).toEqual([]);
  });

  it.each([
    ['an issuer that does not exist', { ...identity, issuer: 'nobody' }, 'issuer', 'there is no issuer `nobody`'],
    ['an issuer of people', { ...identity, issuer: 'staff' }, 'issuer', 'speaks for people'],
    [
      'another trust domain',
      { ...identity, issuer: 'mesh', subject: 'spiffe://prod.example.evil/agent' },
      'subject',
      'trust domain',
    ],
    ['no service account', { ...identity, issuer: 'cluster' }, 'subject', 'system:serviceaccount'],
    ['a repository by name only', { ...identity, issuer: 'hub', claims: { repository: 'a/b' } }, 'claims', '_id'],
    ['a job without claims', { ...identity, issuer: 'hub' }, 'claims', 'repository_owner_id'],
  ])('points at %s', (_, declared, field, words) => {
    const errors = agentIdentityErrors({ ...minimal, identities: [identity, declared] }, issuers);
    expect(errors).toEqual([{ pointer: `/identities/1/${field}`, detail: expect.stringContaining(words) }]);
  });
});
