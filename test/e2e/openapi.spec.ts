import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Role } from '@mayfly/identity';
import type { JsonObject } from '@mayfly/kernel';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { startTestBroker, type TestAnswer, type TestBroker } from '../support/broker.js';
import { postForm } from '../support/form.js';

interface Media {
  readonly schema?: JsonObject;
  readonly example?: JsonObject;
}
interface Operation {
  readonly operationId: string;
  readonly summary?: string;
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly example?: string }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, Media>> };
  readonly responses: Readonly<
    Record<string, { readonly description: string; readonly content?: Record<string, Media> }>
  >;
  readonly security?: readonly unknown[];
}
interface Document {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, JsonObject>> };
}

let mayfly: TestBroker;
let document: Document;
let operations: readonly (readonly [method: string, path: string, operation: Operation])[];

beforeAll(async () => {
  mayfly = await startTestBroker();
  await mayfly.broker.services.federationKeys.rotateIfDue();
  document = (await mayfly.send('GET /openapi.json')).body as unknown as Document;
  operations = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => [method, path, operation] as const),
  );
});

afterAll(() => mayfly.stop());

/** The operations that a rule does not hold for, by name. */
const breaking = (rule: (operation: Operation, path: string, method: string) => boolean): string[] =>
  operations
    .filter(([method, path, operation]) => !rule(operation, path, method))
    .map(([method, path]) => `${method} ${path}`);

/** Judges a value by a component of the document. */
function validatorOf(name: string): ValidateFunction {
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  const $id = 'https://mayfly.example/openapi.json';
  ajv.addSchema({ $id, components: document.components });
  return ajv.compile({ $ref: `${$id}#/components/schemas/${name}` });
}

describe('the document', () => {
  it('the OpenAPI document is OpenAPI 3.1 about the routes of this service', () => {
    expect(document.openapi).toBe('3.1.0');
    expect(document.info).toMatchObject({ title: 'Mayfly', version: expect.stringMatching(/^\d+\.\d+\.\d+$/) });
    expect(operations.length).toBeGreaterThan(40);
  });

  it('the OpenAPI document is what `openapi.json` at the root of the repository says', async () => {
    expect(document).toEqual(JSON.parse(await readFile('openapi.json', 'utf8')));
  });

  it('the OpenAPI document has schemas that are JSON Schema 2020-12, and no reference that leads nowhere', () => {
    const names = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)].map(
      ([, name]) => name!,
    );
    expect(names.length).toBeGreaterThan(0);
    for (const name of new Set([...names, ...Object.keys(document.components.schemas)])) {
      expect(() => validatorOf(name)).not.toThrow();
    }
    expect(/__schema|"nullable"|#\/\$defs|"\$schema"/.exec(JSON.stringify(document))).toBeNull();
  });

  it('the OpenAPI document says of every operation what it does, under a name of its own', () => {
    expect(breaking(({ summary = '' }) => summary.length > 5)).toEqual([]);
    const names = operations.map(([, , { operationId }]) => operationId);
    expect(names).toEqual([...new Set(names)]);
  });

  it('the OpenAPI document says of every operation what it answers when it works', () => {
    expect(breaking(({ responses }) => Object.keys(responses).some((status) => status.startsWith('2')))).toEqual([]);
    expect(
      breaking(({ responses }) => Object.values(responses).every(({ description }) => description !== '')),
    ).toEqual([]);
  });

  it('the OpenAPI document has every problem under its media type, and OAuth errors in their own form', () => {
    const typeOf = (path: string) => (path.startsWith('/oauth/') ? 'application/json' : 'application/problem+json');
    const problems = ({ responses }: Operation) => Object.entries(responses).filter(([status]) => status >= '400');
    expect(
      breaking((operation, path) =>
        problems(operation).every(([, { content = {} }]) => Object.keys(content).join() === typeOf(path)),
      ),
    ).toEqual([]);
  });

  it('the OpenAPI document says how a change is refused wherever If-Match is wanted', () => {
    const wantsMatch = ({ parameters = [] }: Operation) => parameters.some(({ name }) => name === 'If-Match');
    const changes = operations.filter(([, , operation]) => wantsMatch(operation));
    expect(changes.length).toBeGreaterThan(5);
    expect(breaking((one) => !wantsMatch(one) || ['412', '428'].every((status) => status in one.responses))).toEqual(
      [],
    );
  });

  it('the OpenAPI document says of every operation with a body that it may be too long, or of another media type', () => {
    expect(
      breaking(({ requestBody, responses }) => requestBody === undefined || ('413' in responses && '415' in responses)),
    ).toEqual([]);
  });

  it('the OpenAPI document says where a token is needed: everywhere but where anyone may ask', () => {
    const open = breaking(({ security }) => security !== undefined);
    expect(open.toSorted()).toEqual(
      [
        '/.well-known/authzen-configuration',
        ...['/.well-known/jwks.json', '/.well-known/oauth-authorization-server'],
        ...['/federation/.well-known/openid-configuration', '/federation/jwks.json'],
        ...['/healthz', '/metrics', '/readyz'],
      ].map((path) => `get ${path}`),
    );
  });

  it('the OpenAPI document names each parameter of a path, with an example', () => {
    const inPath = (path: string) => [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    const named = ({ parameters = [] }: Operation) => parameters.filter((one) => one.in === 'path');
    expect(
      breaking(
        (one, path) =>
          named(one)
            .map(({ name }) => name)
            .join() === inPath(path).join(),
      ),
    ).toEqual([]);
    expect(breaking((one) => named(one).every(({ example }) => example !== undefined))).toEqual([]);
  });

  it('the OpenAPI document has an example for every body', () => {
    const bodies = ({ requestBody }: Operation) => Object.values(requestBody?.content ?? {});
    expect(breaking((one) => bodies(one).every(({ example }) => example !== undefined))).toEqual([]);
  });
});

describe('the examples', () => {
  const exampleOf = (id: string): { route: string; body: JsonObject } => {
    const [method, path, operation] = operations.find(([, , { operationId }]) => operationId === id)!;
    const [media] = Object.values(operation.requestBody!.content);
    const example = operation.parameters?.find((one) => one.in === 'path')?.example ?? '';
    return { route: `${method.toUpperCase()} ${path.replace(/\{\w+\}/, example)}`, body: media!.example! };
  };

  it.each<[string, Role, number, Record<string, string>]>([
    ['Issuers.create', 'platform', 201, {}],
    ['Issuers.replace', 'platform', 200, { 'if-match': '*' }],
    ['Connections.create', 'platform', 201, {}],
    ['Connections.replace', 'platform', 200, { 'if-match': '*' }],
    ['Agents.create', 'platform', 201, {}],
    ['Agents.replace', 'platform', 200, { 'if-match': '*' }],
    ['Lockdowns.engage', 'operator', 201, {}],
    ['Declarations.check', 'platform', 200, {}],
    ['Templates.lint', 'platform', 200, {}],
    ['Templates.create', 'platform', 201, {}],
    ['Templates.replaceDraft', 'platform', 200, { 'if-match': '*' }],
  ])('the OpenAPI example of %s works', async (id, role, status, headers) => {
    const { route, body } = exampleOf(id);
    const answer = await mayfly.send(route, { token: mayfly.personToken(role), body, headers });
    expect(answer).toMatchObject({ status });
  });

  it('the OpenAPI example of the life of a task work, one after the other', async () => {
    const token = mayfly.agentToken('support-agent');
    const { route, body } = exampleOf('Tasks.create');
    const granted = await mayfly.send(route, { token, body });
    expect(granted).toMatchObject({ status: 201 });
    for (const id of ['Tasks.renew', 'Tasks.fail']) {
      const step = exampleOf(id);
      const itsRoute = step.route.replace(/tsk_\w+/, granted.body.id as string);
      expect(await mayfly.send(itsRoute, { token, body: step.body })).toMatchObject({ status: 200 });
    }
  });

  it.each(['Authzen.evaluate', 'Authzen.evaluateAll'])('the OpenAPI example of %s works', async (id) => {
    const { route, body } = exampleOf(id);
    const answer = await mayfly.send(route, { token: mayfly.agentToken('support-agent'), body });
    expect(answer).toMatchObject({ status: 200 });
  });

  it('the OpenAPI example of a what-if works on the decision that granted the example of a task', async () => {
    const { body } = exampleOf('Tasks.create');
    const granted = await mayfly.send('POST /tasks', { token: mayfly.agentToken('support-agent'), body });
    const whatIf = exampleOf('Decisions.whatIf');
    const route = whatIf.route.replace(/dec_\w+/, granted.body.decisionId as string);
    const answer = await mayfly.send(route, { token: mayfly.personToken('auditor'), body: whatIf.body });
    expect(answer).toMatchObject({ status: 200, body: { changed: { control: 'agent-lifecycle' } } });
  });

  it.each(['OAuth.introspect', 'OAuth.revoke'])('the OpenAPI example of %s is a form that is read', async (id) => {
    const { route, body } = exampleOf(id);
    const form = body as Record<string, string>;
    const answer = await postForm(mayfly.url + route.split(' ')[1]!, mayfly.personToken('operator'), form);
    expect(answer.status).toBe(200);
  });
});

describe('the answers', () => {
  const auditor = () => mayfly.personToken('auditor');
  const agent = () => mayfly.agentToken('support-agent');
  const body = { template: 'research-read-web', purpose: 'compare prices' };
  let taskId: string;
  const decisionId = async () => {
    const { body: task } = await mayfly.send(`GET /tasks/${taskId}`, { token: auditor() });
    return task.decisionId as string;
  };

  beforeAll(async () => {
    const granted = await mayfly.send('POST /tasks', { token: mayfly.agentToken('research-agent'), body });
    taskId = granted.body.id as string;
  });

  it.each<[string, () => Promise<TestAnswer>]>([
    ['Task', () => mayfly.send(`GET /tasks/${taskId}`, { token: auditor() })],
    ['Task', () => mayfly.send('POST /tasks', { token: mayfly.agentToken('research-agent'), body })],
    ['Decision', async () => mayfly.send(`GET /decisions/${await decisionId()}`, { token: auditor() })],
    ['DecisionReplay', async () => mayfly.send(`POST /decisions/${await decisionId()}/replay`, { token: auditor() })],
    ['ControlTrace', () => mayfly.send(`GET /tasks/${taskId}/control-trace`, { token: auditor() })],
    ['TaskTree', () => mayfly.send(`GET /tasks/${taskId}/tree`, { token: auditor() })],
    ['DryRun', () => mayfly.send('POST /tasks?dryRun=true', { token: mayfly.agentToken('research-agent'), body })],
    ['DryRun', () => mayfly.send('POST /tasks?dryRun=true', { token: agent(), body })],
    ['Me', () => mayfly.send('GET /me', { token: agent() })],
    ['Issuances', () => mayfly.send('GET /issuances', { token: auditor() })],
    ['Timeline', () => mayfly.send(`GET /tasks/${taskId}/timeline`, { token: auditor() })],
    ['SealedEntries', () => mayfly.send('GET /audit/entries', { token: auditor() })],
    ['Lockdowns', () => mayfly.send('GET /lockdowns', { token: auditor() })],
    ['AgentPage', () => mayfly.send('GET /agents', { token: auditor() })],
    ['TemplatePage', () => mayfly.send('GET /templates', { token: auditor() })],
    ['AuthorizationServerMetadata', () => mayfly.send('GET /.well-known/oauth-authorization-server')],
    ['Jwks', () => mayfly.send('GET /.well-known/jwks.json')],
    ['OpenIdConfiguration', () => mayfly.send('GET /federation/.well-known/openid-configuration')],
    ['Jwks', () => mayfly.send('GET /federation/jwks.json')],
    ['Problem', () => mayfly.send('GET /me')],
    [
      'AuthorizeAnswer',
      () =>
        mayfly.send('POST /authorize', {
          token: mayfly.agentToken('resource-server/cases'),
          body: { token: 'x', operation: 'cases.read', target: 'https://cases.example' },
        }),
    ],
    ['OAuthError', () => mayfly.send('POST /oauth/introspect')],
  ])('the answers have the shape that the document gives %s', async (name, ask) => {
    const validate = validatorOf(name);
    const { body: answered } = await ask();
    expect({ valid: validate(answered), errors: validate.errors }).toEqual({ valid: true, errors: null });
  });
});

describe('the page', () => {
  const get = async (path: string, url = mayfly.url) => {
    const response = await fetch(url + path);
    return { status: response.status, headers: response.headers, text: await response.text() };
  };

  it('the API page loads what it names and nothing from elsewhere, under a strict policy', async () => {
    const page = await get('/docs');
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(page.headers.get('content-security-policy')).toMatch(/^default-src 'none'; script-src 'self';/);
    const files = [...page.text.matchAll(/(?:href|src)="([^"]+)"/g)].map(([, file]) => file!);
    expect(files.filter((file) => !file.startsWith('docs/'))).toEqual([]);
    const answers = await Promise.all(files.map((file) => get(`/${file}`)));
    expect(answers.map(({ status }) => status)).toEqual(files.map(() => 200));
    expect(answers.map(({ headers }) => headers.get('content-type')?.split(';')[0])).toEqual(
      expect.arrayContaining(['text/css', 'text/javascript', 'image/png']),
    );
  });

  it.each(['/docs/package.json', '/docs/..%2fpackage.json', '/docs/absolute-path.js'])(
    'the API page serves no other file: %s',
    async (path) => {
      expect((await get(path)).status).toBe(400);
    },
  );

  it('the API page and the document are gone when they are switched off', async () => {
    const quiet = await startTestBroker({ beside: mayfly, environment: { MAYFLY_DOCS: 'off', CRM_DATABASE_URL: '' } });
    const paths = ['/docs', '/docs/page.js', '/openapi.json'];
    const statuses = await Promise.all(paths.map(async (path) => (await get(path, quiet.url)).status));
    await quiet.stop();
    expect(statuses).toEqual([404, 404, 404]);
  });
});
