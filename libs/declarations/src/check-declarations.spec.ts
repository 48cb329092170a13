import { describe, expect, it } from '@jest/globals';
import { PublicEgress } from '@mayfly/egress';
import { checkDeclarations, type DeclarationContext } from './check-declarations.js';
import { providers } from './providers.fixture.js';
import { parseDeclarations } from './parse-declarations.js';
import { refusalOf, SUPPORT_YAML } from './support.fixture.js';

const context: DeclarationContext = {
  providers,
  egress: new PublicEgress(),
  secretFault: (reference) => {
    if (reference === 'env:OURS') return 'use another variable';
    return reference.startsWith('file:/proc/') ? 'name another file' : undefined;
  },
};
const check = (text: string) => checkDeclarations(parseDeclarations('a.yaml', text), context);
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
  it('checkDeclarations puts a good state into the order of applying and warns of nothing', () => {
    const { ordered, warnings } = check(SUPPORT_YAML);
    expect(ordered.map(({ kind }) => kind)).toEqual(['Issuer', 'Issuer', 'Connection', 'Agent', 'TaskTemplate']);
    expect(warnings).toEqual([]);
  });

  it('checkDeclarations gives the warnings of the linter and lets the state pass', () => {
    expect(check(SUPPORT_YAML.replace('concurrentTasks: 50', 'concurrentTasks: 50, uses: 5')).warnings).toEqual([
      {
        pointer: '/spec/credentials/0/connection',
        detail:
          'TaskTemplate/support-read-cases: spec.credentials[0].connection: MF312: nobody counts the uses of `db`: no workload may ask about them; declare `gateways` on its connection',
      },
    ]);
  });

  it('checkDeclarations lets one issuer have people in one document and agents in another', () => {
    const text = SUPPORT_YAML.replace('https://id.example', 'https://ci.example').replace('[RS256]', '[ES256]');
    expect(check(text).warnings).toEqual([]);
  });

  it('checkDeclarations warns of what stayed when the document with roles changed, and does not stop the change', () => {
    const all = parseDeclarations('a.yaml', SUPPORT_YAML.replace('https://id.example', 'https://ci.example'));
    const changed = all.filter(({ metadata }) => metadata.name === 'staff');
    const { warnings } = checkDeclarations(all, context, changed);
    expect(warnings).toEqual([
      {
        pointer: '/spec/algorithms',
        detail: expect.stringMatching(/^Issuer\/ci: .*this document is out of force until then$/),
      },
    ]);
    expect(refusalOf(() => checkDeclarations(all, context, all)).code).toBe('invalid_declaration');
  });

  it('checkDeclarations refuses a document with roles that contradicts another one, whichever of them is new', () => {
    const text = SUPPORT_YAML.replace('https://id.example', 'https://ci.example');
    const all = parseDeclarations(
      'a.yaml',
      text.replace('discovery: true }\n---', 'discovery: true }\n  roles: { auditor: { claim: a, values: [b] } }\n---'),
    );
    for (const name of ['ci', 'staff']) {
      const changed = all.filter(({ metadata }) => metadata.name === name);
      const { errors } = refusalOf(() => checkDeclarations(all, context, changed));
      expect(errors).toEqual([
        {
          pointer: '/spec/algorithms',
          detail: expect.stringMatching(new RegExp(`^Issuer/${name}: .*make both equal`)),
        },
      ]);
    }
  });

  it.each([
    [
      'an agent that stays, when its issuer changed',
      'Issuer',
      'ci',
      'profile: oidc',
      'profile: github-actions',
      /^Agent\/support-agent: /,
    ],
    [
      'a template that stays, when its connection changed',
      'Connection',
      'crm',
      'provider: database',
      'provider: token',
      /^TaskTemplate\/support-read-cases: /,
    ],
  ])('checkDeclarations finds the fault of %s', (_, kind, name, old, replacement, detail) => {
    const documents = SUPPORT_YAML.split('---\n');
    const at = documents.findIndex((text) => text.includes(`kind: ${kind}\nmetadata: { name: ${name} }`));
    documents[at] = (documents[at] ?? '').replace(old, replacement);
    const all = parseDeclarations('a.yaml', documents.join('---\n'));
    const changed = all.filter((declared) => declared.kind === kind && declared.metadata.name === name);
    const { errors } = refusalOf(() => checkDeclarations(all, context, changed));
    expect(errors.map((error) => error.detail)).toContainEqual(expect.stringMatching(detail));
  });

  it('checkDeclarations passes over a fault of a document that stays and depends on nothing new', () => {
    const all = parseDeclarations(
      'a.yaml',
      also(`kind: Agent
metadata: { name: other-agent }
spec: { owner: a, backupOwner: b, identities: [{ issuer: ci, subject: other, runtime: laptop }] }
`).replace('provider: database\n', 'provider: nobody\n'),
    );
    expect(() => checkDeclarations(all, context)).toThrow();
    const changed = all.filter(({ metadata }) => metadata.name === 'other-agent');
    expect(checkDeclarations(all, context, changed).warnings).toEqual([]);
  });

  it.each([
    [
      'a claim within a claim that is written with dots',
      'groups,',
      'realm_access.roles,',
      /write `\/realm_access\/roles`$/,
    ],
    ['a claim that is a URL', 'groups,', 'https://a.example/roles,', undefined],
    ['a JSON Pointer', 'groups,', '/realm_access/roles,', undefined],
  ])('checkDeclarations warns, or not, of %s', (_, old, claim, detail) => {
    const { warnings } = check(SUPPORT_YAML.replace(old, claim));
    expect(warnings).toEqual(
      detail === undefined ? [] : [{ pointer: '/spec/roles/auditor/claim', detail: expect.stringMatching(detail) }],
    );
  });

  it.each<[string, string, boolean, string?]>([
    ['by the client alone', '{ azp: x }', true],
    ['by the client of access tokens', '{ client_id: x, azp: x }', true, 'tokenTypes: [at+jwt]'],
    ['by the client of tokens of its own', '{ client_id: x, azp: x }', false],
    ['by a claim of its own tokens', '{ oid: x }', false],
    ['by the client and more', '{ azp: x, kind: service }', false],
  ])(
    'checkDeclarations warns, or not, of an agent of an issuer of people that is bound %s',
    (_, claims, isWarned, more = '') => {
      const text = agent('other-agent', `{ issuer: staff, runtime: laptop, claims: ${claims} }`);
      const { warnings } = check(text.replace('algorithms: [RS256]', `algorithms: [RS256]\n  ${more}`));
      expect(warnings.map(({ pointer }) => pointer)).toEqual(isWarned ? ['/spec/identities/0/claims'] : []);
    },
  );

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
      /bind it to one agent only/,
    ],
    [
      'an issuer that speaks for people with other terms in another document',
      SUPPORT_YAML.replace('https://id.example', 'https://ci.example'),
      '/spec/algorithms',
      /^Issuer\/ci: spec\.algorithms: `staff` declares the same issuer with another `algorithms`; make both equal/,
    ],
    [
      'a trust domain with other terms, in other letters',
      also([trustDomain('Example.org'), trustDomain('example.org').replace('/keys', '/other')].join('---\n')),
      '/spec/keys',
      /^Issuer\/mesh-upper: .*`mesh-lower` declares the same issuer with another `keys`/,
    ],
    [
      'claims alone that one token can have twice',
      agent(
        'other-agent',
        '{ issuer: ci, runtime: laptop, claims: { azp: x } }, { issuer: ci, runtime: ci, claims: { cid: y } }',
      ),
      '/spec/identities/1/claims',
      /^Agent\/other-agent: .*one token can match these claims and those of agent `other-agent` in `laptop`/,
    ],
    [
      'claims alone of an issuer whose subjects say who it is',
      agent('other-agent', '{ issuer: mesh-lower, runtime: laptop, claims: { azp: x } }') +
        '---\n' +
        trustDomain('example.org'),
      '/spec/identities/0/subject',
      /state `subject`: only a binding to an oidc issuer/,
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
      '/spec/config/url',
      /^Connection\/crm: spec\.config\.url: /,
    ],
    [
      'a password in a configuration',
      SUPPORT_YAML.replace('env:CRM_DATABASE_URL', 'postgres://admin:hunter2@db/crm'),
      '/spec/config/url',
      /write the secret as a reference/,
    ],
    [
      'a secret that the provider finds',
      SUPPORT_YAML.replace('env:CRM_DATABASE_URL', 'db://crm?pin=4711'),
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
  ])('checkDeclarations refuses %s', (_, text, pointer, detail) => {
    const { code, errors } = refusalOf(() => check(text));
    expect(code).toBe('invalid_declaration');
    expect(errors).toContainEqual({ pointer, detail: expect.stringMatching(detail) });
  });

  it('checkDeclarations never quotes a value of a configuration', () => {
    const text = SUPPORT_YAML.replace('env:CRM_DATABASE_URL', 'postgres://admin:hunter2@db/crm');
    expect(JSON.stringify(refusalOf(() => check(text)))).not.toContain('hunter2');
  });

  it('checkDeclarations lets two agents be known by two subjects of one issuer', () => {
    expect(check(agent('any-agent', '{ issuer: ci, subject: other, runtime: laptop }')).ordered).toHaveLength(6);
  });
});
