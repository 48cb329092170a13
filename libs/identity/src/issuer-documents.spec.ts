import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '@mayfly/kernel';
import { FakeIssuer } from '@mayfly/testing';
import { BindingIndex } from './agents/binding-index.js';
import { boundClaimsOf } from './agents/bound-claims.js';
import type { AgentBinding } from './agents/agent-binding.js';
import { identityRefusalReason } from './identity-refusal.js';
import { IdentityVerifier } from './identity-verifier.js';
import type { TrustedIssuer } from './issuers/issuer-spec.js';
import { IssuerKeySource } from './keys/issuer.key-source.js';

const clock = { now: () => new Date('2026-11-01T12:00:00Z') };
const keycloak = new FakeIssuer({ clock, issuer: 'https://id.example/realms/acme' });
const impostor = new FakeIssuer({ clock, issuer: keycloak.issuer });
const mesh = new FakeIssuer({ clock, issuer: 'spiffe://prod.example' });

const roles = {
  platform: { claim: '/realm_access/roles', values: ['mayfly-platform'] },
  auditor: { claim: '/resource_access/mayfly/roles', values: ['audit'] },
};
const people = (spec: JsonObject = {}) => keycloak.trusted('people', { roles, ...spec });
const workloads = (spec: JsonObject = {}) => keycloak.trusted('workloads', { audiences: ['mayfly-agents'], ...spec });
const PLATFORM = { realm_access: { roles: ['offline_access', 'mayfly-platform'] } };

const edIs = (claims: AgentBinding['claims'], issuer = 'people'): AgentBinding => ({
  agent: 'ed',
  issuer,
  runtime: 'k8s',
  claims,
});

interface Declared {
  readonly issuers?: readonly TrustedIssuer[];
  readonly bindings?: readonly AgentBinding[];
}

const notFetched = () => Promise.reject(new Error('nothing is fetched for pinned keys'));

/** The outcome of a proof: the name of an agent, the name and roles of a person, or the reason of a refusal. */
async function outcome(token: string, { issuers = [people()], bindings = [] }: Declared = {}): Promise<string> {
  const keys = new IssuerKeySource({ fetchJson: notFetched, readFile: notFetched }, clock);
  const verifier = new IdentityVerifier(keys, clock);
  verifier.replaceIssuers(issuers, boundClaimsOf(bindings));
  try {
    const identity = await verifier.verify(token);
    const bound = new BindingIndex(bindings).find(identity);
    if (bound !== undefined) return `agent ${bound.agent}`;
    const { kind, issuer, subject, roles: held } = identity;
    return kind === 'workload' ? 'a workload' : `${issuer}:${subject} ${held.join() || 'without a role'}`;
  } catch (error) {
    return identityRefusalReason(error) ?? String(error);
  }
}

describe('people and agents of one Issuer document', () => {
  const bindings = [edIs({ client_id: 'agent-ed' })];

  it.each<[string, JsonObject, string]>([
    ['a person with a role of the realm', PLATFORM, 'people:support-agent platform'],
    [
      'a person with a role of a client',
      { resource_access: { mayfly: { roles: ['audit'] } } },
      'people:support-agent auditor',
    ],
    ['an agent by its client', { client_id: 'agent-ed' }, 'agent ed'],
    ['an agent by a role that is none of ours', { client_id: 'agent-ed', realm_access: { roles: ['x'] } }, 'agent ed'],
    ['a person who is bound as an agent', { ...PLATFORM, client_id: 'agent-ed' }, 'person_and_agent'],
    ['another client', { client_id: 'agent-e' }, 'a workload'],
    ['a role where a workload can put it', { roles: ['mayfly-platform'] }, 'a workload'],
    ['a claim that is named like the pointer', { '/realm_access/roles': ['mayfly-platform'] }, 'a workload'],
    ['a claim with a dot', { 'realm_access.roles': ['mayfly-platform'] }, 'a workload'],
    ['roles that are an object', { realm_access: { roles: { 0: 'mayfly-platform' } } }, 'a workload'],
  ])('one Issuer document of people and agents recognises %s', async (_, claims, expected) => {
    expect(await outcome(keycloak.sign(claims), { bindings })).toBe(expected);
  });
});

describe('several Issuer documents of one issuer', () => {
  const both = { issuers: [workloads(), people()], bindings: [edIs({ azp: 'agent-ed' }, 'workloads')] };
  const forAgents = (claims: JsonObject = {}) => keycloak.sign({ aud: 'mayfly-agents', ...claims });

  it('several Issuer documents of one issuer are one issuer, and each accepts the tokens of its own audiences', async () => {
    expect(await outcome(forAgents({ azp: 'agent-ed' }), both)).toBe('agent ed');
    expect(await outcome(keycloak.sign(PLATFORM), both)).toBe('people:support-agent platform');
    expect(await outcome(keycloak.sign({ azp: 'agent-ed' }), both)).toBe('people:support-agent without a role');
    expect(await outcome(keycloak.sign({ aud: 'other' }), both)).toBe('audience');
  });

  it('several Issuer documents of one issuer give no role to a token for the audience of a document without roles', async () => {
    expect(await outcome(forAgents(PLATFORM), { issuers: both.issuers })).toBe('a workload');
  });

  it('several Issuer documents of one issuer give no subject both a role and an agent', async () => {
    expect(await outcome(forAgents({ ...PLATFORM, azp: 'agent-ed' }), both)).toBe('person_and_agent');
    expect(await outcome(keycloak.sign({ ...PLATFORM, azp: 'agent-ed' }), both)).toBe('person_and_agent');
  });

  it('several Issuer documents of one issuer give a person one name, whatever the token was for and whatever is declared without roles', async () => {
    const second = keycloak.trusted('second', { roles, audiences: ['portal'] });
    const issuers = [keycloak.trusted('aaa'), workloads(), second, people()];
    for (const aud of ['mayfly', 'portal']) {
      expect(await outcome(keycloak.sign({ ...PLATFORM, aud }), { issuers })).toBe('people:support-agent platform');
    }
  });

  it('several Issuer documents of one issuer keep the keys of the one with roles when another was declared with its own', async () => {
    const taken = keycloak.trusted('aaa', { keys: { jwks: impostor.jwks() }, audiences: ['mayfly', 'mine'] });
    const issuers = [taken, people()];
    expect(await outcome(impostor.sign(PLATFORM), { issuers })).toBe('signature');
    expect(await outcome(impostor.sign({ aud: 'mine' }), { issuers })).toBe('signature');
    expect(await outcome(keycloak.sign({ aud: 'mine' }), { issuers })).toBe('document_not_in_force');
    expect(await outcome(keycloak.sign(PLATFORM), { issuers })).toBe('people:support-agent platform');
  });

  it('several Issuer documents of one issuer each have their own token types', async () => {
    const issuers = [people(), workloads({ audiences: ['mayfly'], tokenTypes: ['at+jwt'] })];
    const access = { typ: 'at+jwt' };
    expect(await outcome(keycloak.sign(PLATFORM, access), { issuers })).toBe('a workload');
    expect(await outcome(keycloak.sign(PLATFORM), { issuers })).toBe('people:support-agent platform');
  });
});

describe('types of token', () => {
  const taking = (...tokenTypes: string[]): Declared => ({ issuers: [keycloak.trusted('ci', { tokenTypes })] });

  it.each([
    ['at+jwt', ['jwt', 'at+jwt'], 'a workload'],
    ['application/at+jwt', ['at+jwt'], 'a workload'],
    ['AT+JWT', ['at+jwt'], 'a workload'],
    ['JWT', ['jwt', 'at+jwt'], 'a workload'],
    [undefined, ['jwt'], 'a workload'],
    [undefined, ['at+jwt'], 'token_type'],
    ['JWT', ['at+jwt'], 'token_type'],
    ['at+jwt', ['jwt'], 'token_type'],
    ['application/application/at+jwt', ['at+jwt'], 'token_type'],
    ['dpop+jwt', ['jwt', 'at+jwt'], 'token_type'],
  ])('the token type %s, where %j are accepted, gives %s', async (typ, types, expected) => {
    expect(await outcome(keycloak.sign({}, { typ }), taking(...types))).toBe(expected);
  });
});

describe('several audiences', () => {
  const svid = (aud: string | string[]) => mesh.sign({ iss: undefined, sub: 'spiffe://prod.example/a', aud });
  const domain = (multipleAudiences?: boolean): Declared => ({
    issuers: [mesh.trusted('mesh', { profile: 'spiffe-jwt', multipleAudiences })],
  });
  const plain = (multipleAudiences?: boolean): Declared => ({
    issuers: [keycloak.trusted('ci', { multipleAudiences })],
  });

  const typed = { issuers: [people({ tokenTypes: ['at+jwt'] }), workloads()] };

  it('several audiences in a token are named, with the member that allows them', async () => {
    const keys = new IssuerKeySource({ fetchJson: notFetched, readFile: notFetched }, clock);
    const verifier = new IdentityVerifier(keys, clock);
    verifier.replaceIssuers(plain(false).issuers ?? []);
    const refusal = verifier.verify(keycloak.sign({ aud: ['other', 'mayfly'] }));
    await expect(refusal).rejects.toThrow(
      'it names other audiences too, and `multipleAudiences` is not set: other, mayfly',
    );
  });

  it.each<[string, string, Declared, string]>([
    ['an SVID', svid(['mayfly', 'other']), domain(), 'audience'],
    ['an SVID where that is allowed', svid(['other', 'mayfly']), domain(true), 'a workload'],
    ['an SVID that does not name us', svid(['one', 'other']), domain(true), 'audience'],
    ['an SVID that names us twice', svid(['mayfly', 'mayfly']), domain(), 'audience'],
    ['an SVID that names nobody', svid([]), domain(true), 'audience'],
    ['an SVID for one', svid(['mayfly']), domain(), 'a workload'],
    ['a token', keycloak.sign({ aud: ['other', 'mayfly'] }), plain(), 'a workload'],
    ['a token where that is forbidden', keycloak.sign({ aud: ['other', 'mayfly'] }), plain(false), 'audience'],
    [
      'a token of a type that only another audience takes',
      keycloak.sign({ aud: 'mayfly-agents' }, { typ: 'at+jwt' }),
      typed,
      'token_type',
    ],
  ])('one Issuer document of people and agents recognises %s', async (_, token, declared, expected) => {
    expect(await outcome(token, declared)).toBe(expected);
  });
});

describe('claims that agents are bound to', () => {
  const many = Object.fromEntries(Array.from({ length: 33 }, (_, n) => [`c${String(n)}`, 'x']));

  it('token claims that agents are bound to are kept behind 33 others', async () => {
    const bindings = [edIs({ azp: 'agent' }, 'ci')];
    const issuers = [keycloak.trusted('ci')];
    expect(await outcome(keycloak.sign({ ...many, azp: 'agent' }), { issuers, bindings })).toBe('agent ed');
  });

  it.each<[string, AgentBinding['claims'], JsonObject, string]>([
    ['a number', { project_id: 42 }, { project_id: 42 }, 'agent ed'],
    ['a number that was declared as text', { project_id: '42' }, { project_id: 42 }, 'a workload'],
    ['a number within a list', { project_id: 42 }, { project_id: [42] }, 'a workload'],
    ['true', { protected: true }, { protected: true }, 'agent ed'],
    ['true that is text', { protected: true }, { protected: 'true' }, 'a workload'],
    ['a claim of Object.prototype', { constructor: 'x' }, {}, 'a workload'],
  ])('token claims that agents are bound to are compared by type and value: %s', async (_, claims, told, expected) => {
    const declared = { issuers: [keycloak.trusted('ci')], bindings: [edIs(claims, 'ci')] };
    expect(await outcome(keycloak.sign(told), declared)).toBe(expected);
  });

  it('claims that agents are bound to do not confuse two numbers that JSON rounds to one', async () => {
    const payload = JSON.stringify({ iss: keycloak.issuer, sub: 'x', aud: 'mayfly', iat: 1793534400, exp: 1793534700 });
    const header = JSON.stringify({ alg: 'ES256', kid: keycloak.kid });
    const token = keycloak.signText(header, payload.replace('}', ',"id":9007199254740993}'));
    const declared = { issuers: [keycloak.trusted('ci')], bindings: [edIs({ id: 2 ** 53 }, 'ci')] };
    expect(await outcome(token, declared)).toBe('a workload');
  });
});
