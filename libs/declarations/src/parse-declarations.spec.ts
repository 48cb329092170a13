import { describe, expect, it } from '@jest/globals';
import type { Json } from '@mayfly/kernel';
import { parseDeclarations, parseDocument } from './parse-declarations.js';
import { refusalOf, SUPPORT_YAML } from './support.fixture.js';

/** The details that the file is refused with. */
const refusals = (text: string) =>
  refusalOf(() => parseDeclarations('config/a.yaml', text)).errors.map(({ detail }) => detail);
const connection = (rest: string) =>
  `kind: Connection\nmetadata: { name: crm }\nspec:\n  provider: dummy\n  owner: crm-platform\n${rest}\n`;

describe('parseDeclarations', () => {
  it('parseDeclarations reads several documents of every kind, in the order of the file', () => {
    const names = parseDeclarations('config/a.yaml', SUPPORT_YAML).map(
      ({ kind, metadata }) => `${kind}/${metadata.name}`,
    );
    expect(names).toEqual([
      'Issuer/ci',
      'Issuer/staff',
      'TaskTemplate/support-read-cases',
      'Agent/support-agent',
      'Connection/crm',
    ]);
  });

  it.each(['', '# nothing yet\n', '---\n---\n', '---\n# a\n---\n...\n'])(
    'parseDeclarations reads %j as no documents',
    (text) => {
      expect(parseDeclarations('config/a.yaml', text)).toEqual([]);
    },
  );

  it.each<[string, string, string]>([
    [
      'an unknown key',
      SUPPORT_YAML.replace('lifetime:', 'lifetme:'),
      'config/a.yaml:33: spec.lifetme: unknown key; did you mean `lifetime`?',
    ],
    [
      'an unknown key inside a list',
      SUPPORT_YAML.replace('connection: crm', 'conection: crm'),
      'config/a.yaml:38: spec.credentials[0].conection: unknown key; did you mean `connection`?',
    ],
    [
      'an unknown key beside metadata',
      `${connection('  config: {}')}status: {}\n`,
      'config/a.yaml:7: status: unknown key; leave it out',
    ],
    [
      'a key that belongs to a later version',
      SUPPORT_YAML.replace('  quota:', '  approval: {}\n  quota:'),
      'config/a.yaml:34: spec.approval: unknown key; leave it out',
    ],
    [
      'a missing key, at its parent',
      SUPPORT_YAML.replace('  profile: oidc\n  issuer: https://ci', '  issuer: https://ci'),
      'config/a.yaml:3: spec.profile: required; add it',
    ],
    [
      'a missing text',
      SUPPORT_YAML.replace('  description: Read the cases of one region while answering a ticket.\n', ''),
      'config/a.yaml:22: spec.description: required; add it',
    ],
    [
      'a value of the wrong type',
      connection('  config: yes'),
      'config/a.yaml:6: spec.config: invalid input: expected record, received string',
    ],
    [
      'a bad name',
      connection('  config: {}').replace('name: crm', 'name: CRM'),
      'config/a.yaml:2: metadata.name: use 1 to 63 lower-case letters, digits and hyphens',
    ],
    [
      'an unknown kind',
      'kind: Agnet\n',
      'config/a.yaml:1: kind: use one of Issuer, Connection, Agent, Policy, TaskTemplate',
    ],
    [
      'no kind',
      'metadata: { name: x }\n',
      'config/a.yaml:1: kind: use one of Issuer, Connection, Agent, Policy, TaskTemplate',
    ],
    [
      'a list for a document',
      '- kind: Agent\n',
      'config/a.yaml:1: kind: use one of Issuer, Connection, Agent, Policy, TaskTemplate',
    ],
    [
      'a text for a document',
      'hello\n',
      'config/a.yaml:1: kind: use one of Issuer, Connection, Agent, Policy, TaskTemplate',
    ],
    [
      'a doubled key',
      connection('  config:\n    a: 1\n    a: 2'),
      'config/a.yaml:8: spec.config.a: this key appears twice; keep one',
    ],
    [
      'an alias',
      connection('  config:\n    a: &a [1]\n    b: *a'),
      'config/a.yaml:8: spec.config.b: write the value out; YAML aliases are refused',
    ],
    [
      'a merge key',
      connection('  config:\n    <<: *a'),
      'config/a.yaml:7: spec.config["<<"]: write the value out; YAML aliases are refused',
    ],
    ['a tag', connection('  config:\n    a: !secret x'), 'config/a.yaml:7: unresolved tag'],
    ['a binary', connection('  config:\n    a: !!binary x'), 'config/a.yaml:7: unresolved tag'],
    ['a key that is a number', connection('  config:\n    1: x'), 'config/a.yaml:7: spec.config: use texts as keys'],
    [
      'a key that is a list',
      connection('  config:\n    ? [a]\n    : x'),
      'config/a.yaml:7: spec.config: use texts as keys',
    ],
    [
      'a number that JSON rounds',
      connection('  config:\n    a: 12345678901234567890'),
      'config/a.yaml:7: spec.config.a: not a number that JSON can hold; quote it if it is a text',
    ],
    [
      'not a number',
      connection('  config:\n    a: .nan'),
      'config/a.yaml:7: spec.config.a: not a number that JSON can hold; quote it if it is a text',
    ],
    [
      'a reserved key',
      connection('  config:\n    __proto__: { a: 1 }'),
      'config/a.yaml:7: spec.config.__proto__: `__proto__` is a reserved key; use another',
    ],
    [
      'NUL in a text',
      connection('  config:\n    a: "x\\0"'),
      'config/a.yaml:7: spec.config.a: leave out NUL and lone surrogates',
    ],
    [
      'deep nesting',
      connection(`  config: ${'{ a: '.repeat(40)}1${' }'.repeat(40)}`),
      expect.stringMatching(/:6: spec\.config.*: nested too deeply; use at most 32 levels$/) as unknown as string,
    ],
    ['a stray bracket', '}', 'config/a.yaml:1: unexpected flow-map-end token in YAML document'],
    ['brackets without end', '['.repeat(100_000), expect.stringMatching(/^config\/a\.yaml:1: /) as unknown as string],
    ['a text over 256 KiB', `# ${'x'.repeat(262_144)}`, 'config/a.yaml:1: over 262144 bytes; use several files'],
    ['201 documents', 'kind: A\n---\n'.repeat(201), 'config/a.yaml:1: over 200 documents; use several files'],
  ])('parseDeclarations refuses %s with file, line and path', (_, text, detail) => {
    expect(refusals(text)).toContainEqual(detail);
  });

  it('parseDeclarations refuses the whole file for one wrong document, and names every wrong place', () => {
    const text = `${SUPPORT_YAML}---\nkind: Agent\nmetadata: { name: x }\nspec: { ownr: a, identities: [] }\n`;
    const { code, detail, errors } = refusalOf(() => parseDeclarations('config/a.yaml', text));
    expect(code).toBe('invalid_declaration');
    expect(errors.map(({ pointer }) => pointer)).toEqual(
      expect.arrayContaining(['/spec/owner', '/spec/backupOwner', '/spec/identities', '/spec/ownr']),
    );
    expect(detail).toMatch(/^config\/a\.yaml:5\d: .* \(and \d more; correct all of them\)$/);
  });

  it.each([
    ['under an unknown key', '  config: {}\n  password: hunter2'],
    ['where the syntax breaks', '  config: { url: }hunter2'],
    ['in the head of a block text', '  config: |hunter2'],
    ['after a closed quote', '  config: "a" hunter2'],
    ['of a wrong type', '  config: hunter2'],
  ])('parseDeclarations does not quote a value %s', (_, rest) => {
    const refusal = refusalOf(() => parseDeclarations('a.yaml', connection(rest)));
    expect(JSON.stringify(refusal)).not.toMatch(/hunter2/);
  });

  it('parseDeclarations reads a file of many keys in good time', () => {
    const config = Array.from({ length: 15_000 }, (_, i) => `    k${String(i)}: 1`).join('\n');
    expect(parseDeclarations('a.yaml', connection(`  config:\n${config}`))).toHaveLength(1);
  });
});

describe('parseDocument', () => {
  const document = {
    kind: 'Connection',
    metadata: { name: 'crm' },
    spec: { provider: 'dummy', owner: 'crm', config: {} },
  };

  it('parseDocument reads a document of the kind asked for', () => {
    expect(parseDocument(document, 'Connection')).toEqual(document);
    expect(parseDocument(document)).toEqual(document);
  });

  it.each<[string, Json, string, string]>([
    ['another kind', document, '/kind', 'this route takes another kind; use `Agent`'],
    [
      'an unknown key',
      { ...document, kind: 'Agent', metadata: { name: 'a', label: {} } },
      '/metadata/label',
      'unknown key; did you mean `labels`?',
    ],
    [
      'a reserved key',
      JSON.parse('{"kind":"Agent","__proto__":{}}') as Json,
      '/__proto__',
      '`__proto__` is a reserved key; use another',
    ],
    ['null', null, '/kind', 'use one of Issuer, Connection, Agent, Policy, TaskTemplate'],
  ])('parseDocument refuses %s by JSON pointer', (_, value, pointer, detail) => {
    const { code, errors } = refusalOf(() => parseDocument(value, 'Agent'));
    expect(code).toBe('invalid_declaration');
    expect(errors).toContainEqual({ pointer, detail });
  });
});
