import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestBroker, type TestBroker } from '../support/broker.js';
import { postForm } from '../support/form.js';
import { rowsOf } from '../support/rows.js';
import { starterWith } from '../support/starter.js';
import { leaseRoles } from '../support/target.js';
import { grant, secretOf } from '../support/tasks.js';

let mayfly: TestBroker;
let targetUrl: string;
beforeAll(async () => {
  ({ targetUrl } = await starterWith());
  mayfly = await startTestBroker();
});
afterAll(() => mayfly.stop());

interface Starter {
  readonly template: string;
  /** who may have it, from where */
  readonly subjects: readonly string[];
  /** the same agent from a runtime that the template does not allow */
  readonly elsewhere?: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly credential: string;
  readonly audience: string;
  readonly server: string;
  readonly scope: string;
}

const STARTERS: readonly Starter[] = [
  {
    template: 'support-read-cases',
    subjects: ['support-agent'],
    elsewhere: 'support-agent/ci',
    parameters: { region: 'emea' },
    ...{ credential: 'api', audience: 'https://cases.example', server: 'cases', scope: 'cases.read' },
  },
  {
    template: 'code-write-repo',
    subjects: ['code-agent', 'code-agent/ci'],
    parameters: { repository: 'storefront' },
    ...{ credential: 'git', audience: 'https://git.example', server: 'git' },
    scope: 'repo:storefront:write repo:storefront:pull-request',
  },
  {
    template: 'research-read-web',
    subjects: ['research-agent'],
    parameters: {},
    ...{ credential: 'search', audience: 'https://search.example', server: 'search', scope: 'search.query page.read' },
  },
];

const AGENTS = ['support-agent', 'support-agent/ci', 'code-agent', 'code-agent/ci', 'research-agent'];

const ask = (subject: string, template: string, parameters: unknown) =>
  mayfly.send('POST /tasks', { token: mayfly.agentToken(subject), body: { template, parameters, purpose: 'try' } });

async function introspect(server: string, token: string): Promise<unknown> {
  const caller = mayfly.agentToken(`resource-server/${server}`);
  return JSON.parse((await postForm(`${mayfly.url}/oauth/introspect`, caller, { token })).text);
}

/** Texts that would change the meaning of a name, a statement, a path or a template that took them in as they are. */
const INJECTIONS = [
  'hr',
  'EMEA',
  'emea ',
  ' emea',
  'emea\n',
  'emea"; DROP SCHEMA hr; --',
  "emea' OR '1'='1",
  'emea, hr',
  'emea.cases',
  '*',
  '../apac',
  '{"$param":"region"}',
  '${region}',
  'ｅｍｅａ',
  '\u202eaeme',
  '',
  'x'.repeat(10_000),
];

describe.each(STARTERS)('$template', ({ template, subjects, elsewhere, parameters, ...api }) => {
  it.each(subjects)('a starter template is for %s, whose token says exactly what it may do', async (subject) => {
    const task = await grant(mayfly, mayfly.agentToken(subject), { template, parameters, purpose: 'work' });
    const token = secretOf(task, api.credential, 'token');
    const shown = await introspect(api.server, token);
    expect(shown).toMatchObject({ active: true, aud: api.audience, scope: api.scope, task_id: task.id });
    for (const { server } of STARTERS) {
      if (server !== api.server) expect(await introspect(server, token)).toEqual({ active: false });
    }
    await mayfly.send(`POST /tasks/${task.id}/complete`, { token: mayfly.agentToken(subject) });
    expect(await introspect(api.server, token)).toEqual({ active: false });
  });

  it.each(AGENTS.filter((agent) => !subjects.some((subject) => agent.startsWith(subject))))(
    'a starter template is refused to %s by the rule that says so',
    async (subject) => {
      const answer = await ask(subject, template, parameters);
      expect(answer).toMatchObject({ status: 403, body: { control: 'template-requesters' } });
      const { body } = await mayfly.send('GET /me', { token: mayfly.agentToken(subject) });
      expect(JSON.stringify(body)).not.toContain(template);
    },
  );

  it('a starter template is refused to its own agent in a runtime that it does not name', async () => {
    if (elsewhere === undefined) return;
    expect(await ask(elsewhere, template, parameters)).toMatchObject({
      status: 403,
      body: { control: 'runtime-boundary' },
    });
  });

  it.each([
    ['one that it does not have', { ...parameters, table: 'salaries' }],
    ['one of a prototype', JSON.parse(`{"__proto__": {"region": "apac"}, "constructor": 1}`)],
    ['a list', ['emea']],
    ['a text', 'emea'],
  ])('a starter template takes no parameter but its own: %s', async (_, wrong) => {
    const { status } = await ask(subjects[0] ?? '', template, wrong);
    expect([400, 422]).toContain(status);
  });
});

describe.each([
  ['support-read-cases', 'support-agent', 'region'],
  ['code-write-repo', 'code-agent', 'repository'],
])('a parameter of %s', (template, subject, name) => {
  it.each(INJECTIONS.map((text) => [JSON.stringify(text).slice(0, 40), text] as const))(
    'a parameter of a starter template is refused: %s',
    async (_, text) => {
      const roles = await leaseRoles(targetUrl);
      const answer = await ask(subject, template, { [name]: text });
      expect(answer).toMatchObject({
        status: 422,
        body: { errors: [{ pointer: `/parameters/${name}` }] },
      });
      expect(await leaseRoles(targetUrl)).toEqual(roles);
    },
  );

  it('a parameter of a starter template is refused with a NUL in it before anything looks at it', async () => {
    expect(await ask(subject, template, { [name]: 'emea\u0000' })).toMatchObject({ status: 400 });
  });

  it.each([[null], [true], [7], [['emea']], [{ $param: name }], [{ toString: 'emea' }]])(
    'a parameter of a starter template is refused as another type: %j',
    async (value) => {
      expect(await ask(subject, template, { [name]: value })).toMatchObject({ status: 422 });
    },
  );

  it('a parameter of a starter template is refused when it is missing', async () => {
    expect(await ask(subject, template, {})).toMatchObject({ status: 422 });
  });
});

describe('the database role of support-read-cases', () => {
  it.each([
    ['emea', 'apac'],
    ['apac', 'emea'],
  ])(
    'the database role of support-read-cases for %s reaches its three tables, and neither %s nor hr.salaries',
    async (region, other) => {
      const token = mayfly.agentToken('support-agent');
      const body = { template: 'support-read-cases', parameters: { region }, purpose: 'work' };
      const url = secretOf(await grant(mayfly, token, body), 'db', 'url');
      const reachable = await rowsOf(
        url,
        `SELECT table_schema || '.' || table_name || ' ' || privilege_type AS it FROM information_schema.table_privileges
       WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1`,
      );
      const tables = ['case_notes', 'cases', 'customers'];
      expect(reachable).toEqual(tables.map((table) => ({ it: `${region}.${table} SELECT` })));
      for (const table of [...tables.map((name) => `${other}.${name}`), 'hr.salaries', 'pg_catalog.pg_authid']) {
        await expect(rowsOf(url, `SELECT * FROM ${table}`)).rejects.toMatchObject({ code: '42501' });
      }
      await expect(rowsOf(url, 'SET ROLE mayfly_crm')).rejects.toMatchObject({ code: '42501' });
    },
  );
});
