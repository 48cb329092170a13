import { describe, expect, it } from '@jest/globals';
import type { AnyProvider } from '@mayfly/credentials';
import { PublicEgress } from '@mayfly/egress';
import { z } from 'zod';
import { checkRun } from './check-run.js';
import { parseDeclarations } from './parse-declarations.js';
import { SUPPORT_YAML } from './support.fixture.js';

/** A provider with schemas and traits only; it cannot mint. */
const provider = {
  kind: 'database',
  secretMembers: ['/url'],
  schemas: {
    handle: z.never(),
    config: z.strictObject({ url: z.string() }),
    scope: z.strictObject({ schema: z.enum(['emea', 'apac']), verbs: z.array(z.enum(['select'])) }),
  },
  traits: { revocation: 'immediate', minTtlSeconds: 1, maxTtlSeconds: 43_200, remote: true },
} as unknown as AnyProvider;

const parse = (text: string) => (text === '' ? [] : parseDeclarations('a.yaml', text));
function run(stored: string, documents: string) {
  const context = { providers: [provider], egress: new PublicEgress(), secretFault: () => undefined };
  return [...checkRun(parse(stored), parse(documents), context)].map(
    ({ declared: { kind, metadata }, refusal, findings, publication }) => ({
      title: `${kind}/${metadata.name}`,
      refusal: refusal?.detail,
      findings: findings.map(({ rule }) => rule),
      publication: publication?.detail,
    }),
  );
}
const issuer = (name: string, url: string) => `kind: Issuer
metadata: { name: ${name} }
spec: { profile: oidc, issuer: '${url}', audiences: [mayfly], algorithms: [ES256], keys: { discovery: true } }
`;
const agent = (name: string, subject: string, by = 'ci') => `kind: Agent
metadata: { name: ${name} }
spec: { owner: a, backupOwner: b, identities: [{ issuer: ${by}, subject: ${subject}, runtime: laptop }] }
`;
const yaml = (...documents: string[]) => documents.join('---\n');

describe('checking a run', () => {
  it('the check of a run finds nothing against documents that name each other and are all new, whatever their order', () => {
    const checked = run('', SUPPORT_YAML.split('---\n').toReversed().join('---\n').replace(/\n*$/, '\n'));
    expect(checked.map(({ title }) => title.split('/')[0])).toEqual([
      ...['Issuer', 'Issuer', 'Connection', 'Agent', 'TaskTemplate'],
    ]);
    for (const one of checked) expect(one).toMatchObject({ refusal: undefined, findings: [], publication: undefined });
  });

  it('the check of a run tells each fault once, at the document that brings it, and continues as if it had been applied', () => {
    const checked = run(
      SUPPORT_YAML,
      yaml(
        issuer('again', 'https://ci.example').replace('ES256', 'RS256'),
        agent('one', 'x', 'again'),
        agent('two', 'x', 'nobody'),
      ),
    );
    expect(checked).toMatchObject([
      { title: 'Issuer/again', refusal: expect.stringContaining('declares the same issuer with another `algorithms`') },
      { title: 'Agent/one', refusal: undefined },
      { title: 'Agent/two', refusal: expect.stringMatching(/^Agent\/two: .*nobody/) },
    ]);
  });

  it('the check of a run judges each document with those before it, as the run does: an identity that moves is free only afterwards', () => {
    const moved = run(SUPPORT_YAML, yaml(agent('support-agent', 'elsewhere'), agent('heir', 'support-agent')));
    expect(moved.map(({ refusal }) => refusal)).toEqual([undefined, undefined]);
    const tooEarly = run(SUPPORT_YAML, yaml(agent('heir', 'support-agent'), agent('support-agent', 'elsewhere')));
    expect(tooEarly.map(({ refusal }) => refusal !== undefined)).toEqual([true, false]);
  });

  it('the check of a run refuses no change because of a document that stays and that the run would only warn of', () => {
    const people = issuer('people', 'https://ci.example').replace(
      'algorithms: [ES256]',
      'algorithms: [RS256], roles: { auditor: { claim: groups, values: [audit] } }',
    );
    expect(run(SUPPORT_YAML, people)).toMatchObject([{ title: 'Issuer/people', refusal: undefined }]);
  });

  it('the check of a run lints a template with the connections of the run, and says why it would not be put in force', () => {
    const [, , template, , connection] = SUPPORT_YAML.split('---\n');
    expect(run('', template!)).toMatchObject([
      { refusal: undefined, findings: ['MF302'], publication: expect.stringContaining('breaks rule MF302') },
    ]);
    expect(run('', yaml(template!, connection!)).at(-1)).toMatchObject({ findings: [], publication: undefined });
  });
});
