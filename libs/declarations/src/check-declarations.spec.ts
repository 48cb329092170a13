import { describe, expect, it } from '@jest/globals';
import type { AnyProvider, ProviderTraits } from '@mayfly/credentials';
import { PublicEgress } from '@mayfly/egress';
import { z } from 'zod';
import { checkDeclarations } from './check-declarations.js';
import { lintFactsOf } from './lint-facts.js';
import { parseDeclarations } from './parse-declarations.js';
import { refusalOf, SUPPORT_YAML } from './support.fixture.js';

/** A provider that only says what it takes: nothing is minted here. */
function provider(kind: string, schemas: object, traits: Partial<ProviderTraits> = {}): AnyProvider {
  const bounds = { revocation: 'immediate', minTtlSeconds: 1, maxTtlSeconds: 43_200, remote: true, ...traits };
  const secretMembers = ['/url'];
  return { kind, secretMembers, schemas: { handle: z.never(), ...schemas }, traits: bounds } as unknown as AnyProvider;
}

const providers = [
  provider('database', {
    config: z.strictObject({ url: z.string(), spare: z.string().optional() }),
    scope: z.strictObject({ schema: z.enum(['emea', 'apac']), verbs: z.array(z.enum(['select'])) }),
  }),
  provider('token', { config: z.strictObject({}), scope: z.strictObject({ audience: z.string() }) }),
];
const check = (text: string) =>
  checkDeclarations(parseDeclarations('a.yaml', text), {
    providers,
    egress: new PublicEgress(),
    secretFault: (reference) => {
      if (reference === 'env:OURS') return 'use another variable';
      return reference.startsWith('file:/proc/') ? 'name another file' : undefined;
    },
  });
const also = (text: string) => `${SUPPORT_YAML}---\n${text}`;
const agent = (name: string, identity: string) =>
  also(`kind: Agent\nmetadata: { name: ${name} }\nspec: { owner: a, backupOwner: b, identities: [${identity}] }\n`);

const trustDomain = (domain: string) => `kind: Issuer
metadata: { name: mesh-${domain === domain.toLowerCase() ? 'lower' : 'upper'} }
spec:
  profile: spiffe-jwt
  issuer: spiffe://${domain}
  audiences: [mayfly]
  algorithms: [ES256]
  keys: { jwksUri: 'https://mesh.example/keys' }
`;

describe('checkDeclarations', () => {
  it('puts a good state into the order of applying and warns of nothing', () => {
    const { ordered, warnings } = check(SUPPORT_YAML);
    expect(ordered.map(({ kind }) => kind)).toEqual(['Issuer', 'Issuer', 'Connection', 'Agent', 'TaskTemplate']);
    expect(warnings).toEqual([]);
  });

  it('gives the warnings of the linter and lets the state pass', () => {
    expect(check(SUPPORT_YAML.replace('concurrentTasks: 50', 'concurrentTasks: 50, uses: 5')).warnings).toEqual([
      {
        pointer: '/spec/quota/uses',
        detail:
          'TaskTemplate/support-read-cases: spec.quota.uses: MF004: uses are recorded; no enforcement point counts them yet',
      },
    ]);
  });

  it.each<[string, string, string, RegExp]>([
    [
      'a name given twice',
      also('kind: Connection\nmetadata: { name: crm }\nspec: { provider: token, owner: a, config: {} }\n'),
      '/metadata/name',
      /^Connection\/crm: metadata\.name: declared twice/,
    ],
    [
      'an identity of an unknown issuer',
      SUPPORT_YAML.replace('issuer: ci,', 'issuer: cd,'),
      '/spec/identities/0/issuer',
      /^Agent\/support-agent: spec\.identities\[0\]\.issuer: there is no issuer `cd`/,
    ],
    [
      'an identity of an issuer that speaks for people',
      SUPPORT_YAML.replace('issuer: ci,', 'issuer: staff,'),
      '/spec/identities/0/issuer',
      /speaks for people/,
    ],
    [
      'one identity for two agents',
      agent('other-agent', '{ issuer: ci, subject: support-agent, runtime: laptop }'),
      '/spec/identities/0/subject',
      /^Agent\/other-agent: .*agent `support-agent` in `laptop` has this identity too/,
    ],
    [
      'one identity in two runtimes',
      SUPPORT_YAML.replace(
        'runtime: laptop }]',
        'runtime: laptop }, { issuer: ci, subject: support-agent, runtime: ci }]',
      ),
      '/spec/identities/1/subject',
      /one identity, one agent/,
    ],
    [
      'an issuer trusted twice',
      SUPPORT_YAML.replace('https://id.example', 'https://ci.example'),
      '/spec/issuer',
      /^Issuer\/staff: .*`ci` trusts this issuer already/,
    ],
    [
      'a trust domain trusted twice, in other letters',
      also(['Example.org', 'example.org'].map(trustDomain).join('---\n')),
      '/spec/issuer',
      /^Issuer\/mesh-lower: .*`mesh-upper` trusts this issuer already/,
    ],
    [
      'an issuer at a private address',
      SUPPORT_YAML.replace('https://ci.example', 'https://10.0.0.1'),
      '/spec/issuer',
      /^Issuer\/ci: spec\.issuer: .*rule `private`.*MAYFLY_EGRESS_ALLOW/,
    ],
    [
      'an authority outside the directory of secrets',
      SUPPORT_YAML.replace('keys: { discovery: true }', 'keys: { discovery: true }\n  caFile: /proc/self/environ'),
      '/spec/caFile',
      /^Issuer\/ci: spec\.caFile: name another file/,
    ],
    [
      'a bundle outside the directory of secrets',
      also(
        trustDomain('example.org').replace(
          /keys: .*/,
          'keys: { bundleEndpoint: { profile: https_spiffe, url: https://a.example, spiffeId: spiffe://example.org/s, bundleFile: file:/proc/self/environ } }',
        ),
      ),
      '/spec/keys/bundleEndpoint/bundleFile',
      /name another file/,
    ],
    [
      'a connection of an unknown provider',
      SUPPORT_YAML.replace('provider: database\n  owner', 'provider: oracle\n  owner'),
      '/spec/provider',
      /^Connection\/crm: spec\.provider: there is no provider `oracle`/,
    ],
    [
      'a configuration that the provider refuses',
      SUPPORT_YAML.replace("url: 'env:CRM_DATABASE_URL'", 'uri: x'),
      '/spec/config',
      /^Connection\/crm: spec\.config: /,
    ],
    [
      'a password in a configuration',
      SUPPORT_YAML.replace('env:CRM_DATABASE_URL', 'postgres://admin:hunter2@db/crm'),
      '/spec/config/url',
      /write the secret as a reference/,
    ],
    [
      'a secret that is written out',
      SUPPORT_YAML.replace('env:CRM_DATABASE_URL', 'hunter2-in-plain'),
      '/spec/config/url',
      /write the secret as a reference/,
    ],
    [
      'a secret reference in a member that is shown',
      SUPPORT_YAML.replace("url: 'env:CRM_DATABASE_URL'", "url: 'env:CRM_DATABASE_URL', spare: 'env:OTHER'"),
      '/spec/config/spare',
      /^Connection\/crm: spec\.config\.spare: .*takes a secret reference at \/url only/,
    ],
    [
      "a reference to what is the service's own",
      SUPPORT_YAML.replace('env:CRM_DATABASE_URL', 'env:OURS'),
      '/spec/config/url',
      /use another variable/,
    ],
    [
      'a template of an unknown connection',
      SUPPORT_YAML.replace('connection: crm', 'connection: erp'),
      '/spec/credentials/0/connection',
      /MF302/,
    ],
    [
      'a template without the connection that it needs',
      SUPPORT_YAML.replace('      connection: crm\n', ''),
      '/spec/credentials/0/connection',
      /MF302/,
    ],
    [
      'a template of an unknown provider',
      SUPPORT_YAML.replace('provider: database\n      ', 'provider: oracle\n      '),
      '/spec/credentials/0/provider',
      /MF301/,
    ],
    [
      'a template on the connection of another provider',
      also('kind: Connection\nmetadata: { name: erp }\nspec: { provider: token, owner: a, config: {} }\n').replace(
        'connection: crm',
        'connection: erp',
      ),
      '/spec/credentials/0/connection',
      /MF303/,
    ],
    [
      'a scope that the provider refuses',
      SUPPORT_YAML.replace('verbs: [select]', 'verbs: [drop]'),
      '/spec/credentials/0/scope',
      /MF306: verbs\.0: /,
    ],
    [
      'a scope that the provider refuses for one value only',
      SUPPORT_YAML.replace('[emea, apac]', '[emea, apac, hr]'),
      '/spec/credentials/0/scope',
      /MF306: schema: /,
    ],
  ])('refuses %s', (_, text, pointer, detail) => {
    const { code, errors } = refusalOf(() => check(text));
    expect(code).toBe('invalid_declaration');
    expect(errors).toContainEqual({ pointer, detail: expect.stringMatching(detail) });
  });

  it('never quotes a value of a configuration', () => {
    const text = SUPPORT_YAML.replace('env:CRM_DATABASE_URL', 'postgres://admin:hunter2@db/crm');
    expect(JSON.stringify(refusalOf(() => check(text)))).not.toContain('hunter2');
  });

  it('lets two agents be known by two subjects of one issuer', () => {
    expect(check(agent('any-agent', '{ issuer: ci, subject: other, runtime: laptop }')).ordered).toHaveLength(6);
  });
});

describe('lintFactsOf', () => {
  it('knows that a provider content with an empty configuration needs no connection', () => {
    const needs = lintFactsOf(providers, []).providers.map(({ kind, needsConnection }) => [kind, needsConnection]);
    expect(needs).toEqual([
      ['database', true],
      ['token', false],
    ]);
  });
});
