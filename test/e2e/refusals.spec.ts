import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { JsonObject } from '@mayfly/kernel';
import { FakeIssuer } from '@mayfly/testing';
import { newTestIssuers, startTestBroker, type TestAnswer, type TestBroker } from '../support/broker.js';
import { agentDocument, issuerDocument, templateDocument, yamlOf } from '../support/documents.js';
import { postForm } from '../support/form.js';
import { rowsOf } from '../support/rows.js';

const clock = { now: () => new Date() };
const seconds = () => Math.floor(Date.now() / 1000);
const issuers = newTestIssuers();
const once = new FakeIssuer({ clock, issuer: 'https://once.example' });
const cluster = new FakeIssuer({ clock, issuer: 'https://cluster.example' });
const stranger = new FakeIssuer({ clock, issuer: 'https://stranger.example' });
/** claims to be the issuer `development`, has other keys */
const impostor = new FakeIssuer({ clock, issuer: issuers.workloads.issuer });

let mayfly: TestBroker;
beforeAll(async () => {
  const trusted = [
    once.trusted('once', { replay: 'single-use' }),
    cluster.trusted('cluster', { profile: 'kubernetes' }),
  ];
  mayfly = await startTestBroker({
    issuers,
    documents: yamlOf(
      ...trusted.map(({ name, spec }) => ({ kind: 'Issuer', metadata: { name }, spec }) as unknown as JsonObject),
      issuerDocument('down', { keys: { jwksUri: 'http://127.0.0.1:1/keys' } }),
      agentDocument('support-agent'),
      agentDocument('one-time-agent', {
        identities: [{ issuer: 'once', subject: 'one-time-agent', runtime: 'developer-laptop' }],
      }),
      templateDocument('read-cases'),
      templateDocument('support-read-cases', {
        requesters: { agents: { duty: 'support' }, runtimes: ['github-actions'] },
      }),
    ),
  });
});
afterEach(() => {
  jest.restoreAllMocks();
});
afterAll(() => mayfly.stop());

const signed = (claims: JsonObject = {}, header: JsonObject = {}) => issuers.workloads.sign(claims, header);
const ask = (token: string): Promise<TestAnswer> => mayfly.send('GET /me', { token });
const [head = '', body = '', signature = ''] = signed().split('.');

async function refusals(query = ''): Promise<JsonObject[]> {
  const answer = await mayfly.send(`GET /refusals?limit=200${query}`, { token: mayfly.personToken('platform') });
  expect(answer.status).toBe(200);
  return answer.body.items as JsonObject[];
}

/** The item of one request. The entry of a token that is not proven is written when its sender is answered already. */
async function itemOf({ body: { instance } }: TestAnswer): Promise<JsonObject> {
  for (;;) {
    const found = (await refusals()).find(({ requestId }) => instance === `urn:mayfly:request:${requestId as string}`);
    if (found !== undefined) return found;
  }
}

/** A proven token, the rule that refuses it, and what of it the answer repeats. */
const PROVEN: readonly [string, () => string, string][] = [
  ['expired', () => signed({ iat: seconds() - 600, exp: seconds() - 300 }), ': 20'],
  ['not_yet_valid', () => signed({ nbf: seconds() + 300 }), '`nbf`'],
  ['lifetime', () => signed({ exp: seconds() + 86_400 }), '8640'],
  ['audience', () => signed({ aud: ['account', 'other'] }), 'account, other'],
  ['token_type', () => signed({}, { typ: 'logout+jwt' }), '`logout+jwt`'],
  ['header_not_allowed', () => signed({}, { jku: 'https://evil.example/keys' }), '`jku`'],
  ['missing_claim', () => signed({ exp: undefined }), '`exp`'],
  ['profile', () => cluster.sign({ sub: 'system:serviceaccount:crm:agent' }), 'profile'],
];

const UNPROVEN: readonly [string, () => string][] = [
  ['unknown_issuer', () => stranger.sign()],
  ['unknown_issuer', () => signed({ iss: undefined })],
  ['unknown_key', () => signed({}, { kid: 'key-2' })],
  ['signature', () => impostor.sign()],
  ['signature', () => impostor.sign({ exp: 1, aud: 'other' }, { typ: 'at+jwt', jku: 'https://evil.example' })],
  ['signature', () => `${head}.${body}.`],
  ['algorithm', () => signed({}, { alg: 'none' })],
  ['critical_header', () => signed({}, { crit: ['exp'] })],
  ['duplicate_claim', () => issuers.workloads.signText('{"alg":"ES256","alg":"ES256"}', '{}')],
  ['malformed', () => 'no-token'],
  ['malformed', () => `${head}.${body}.${signature}=`],
  ['malformed', () => signed({ sub: 'line\nbreak' })],
];

describe('a proven token that breaks a rule', () => {
  it.each(PROVEN)(
    'a proven token that breaks a rule is refused with `%s`, what broke it and what to do',
    async (reason, token, fact) => {
      const answer = await ask(token());
      expect(answer).toMatchObject({
        status: 401,
        body: { type: 'urn:mayfly:problem:unauthenticated', reason, help: expect.any(String) },
      });
      expect(answer.body.detail).toContain(fact);
      const challenge = answer.headers.get('www-authenticate');
      expect(challenge).toBe(`Bearer error="invalid_token", error_description="${answer.body.detail as string}"`);
      expect(await itemOf(answer)).toMatchObject({ reason, issuer: reason === 'profile' ? 'cluster' : 'development' });
    },
  );

  it('a proven token that breaks a rule is refused with `replayed` when it has opened its task', async () => {
    const token = once.sign({ sub: 'one-time-agent', jti: randomUUID() });
    const task = { template: 'read-cases', purpose: 'answer ticket 4711' };
    expect(await mayfly.send('POST /tasks', { token, body: task })).toMatchObject({ status: 201 });
    const answer = await mayfly.send('POST /tasks', { token, body: task });
    expect(answer).toMatchObject({ status: 401, body: { reason: 'replayed' } });
    expect(await itemOf(answer)).toMatchObject({ reason: 'replayed', issuer: 'once', subject: 'one-time-agent' });
  });

  it('OAuth endpoints name the rule that a proven token breaks, too', async () => {
    const { status, text } = await postForm(`${mayfly.url}/oauth/introspect`, signed({ aud: 'x' }), { token: 'x' });
    expect([status, JSON.parse(text)]).toEqual([
      401,
      { error: 'invalid_client', error_description: 'the identity token is for another audience: x' },
    ]);
  });
});

describe('a proven identity without an agent', () => {
  it('a proven identity without an agent learns the binding to ask for, on each route for agents', async () => {
    for (const route of ['GET /me', 'POST /tasks', 'GET /tasks/tsk_01kansx8g0fmbv0xs40yaz3ag5']) {
      const answer = await mayfly.send(route, { token: signed({ sub: 'f:1/new one' }) });
      expect(answer).toMatchObject({
        status: 403,
        body: {
          ...{ type: 'urn:mayfly:problem:forbidden', reason: 'no_agent' },
          detail: expect.stringContaining('issuer `development`, subject `f:1/new one`'),
          ...{
            help: expect.stringContaining('`platform`'),
            identity: { issuer: 'development', subject: 'f:1/new one' },
          },
        },
      });
      expect(await itemOf(answer)).toMatchObject({ reason: 'no_agent', issuer: 'development', subject: 'f:1/new one' });
    }
  });

  it('a proven identity without an agent learns no more where an agent would be refused as well', async () => {
    const answer = await mayfly.send('GET /refusals', { token: signed({ sub: 'new' }) });
    expect(answer).toMatchObject({ status: 403 });
    expect(answer.body).not.toHaveProperty('identity');
  });
});

describe('a token that is not proven', () => {
  /** All that the sender sees, without the id of the request and the time. */
  async function seen(token: string): Promise<string> {
    const response = await fetch(`${mayfly.url}/me`, { headers: { authorization: `Bearer ${token}` } });
    const headers = [...response.headers].filter(([name]) => !['date', 'x-request-id'].includes(name));
    const id = response.headers.get('x-request-id') ?? '';
    return JSON.stringify([response.status, headers, (await response.text()).replace(id, 'id')]);
  }

  it('a token that is not proven is refused in the same bytes, whatever is wrong with it', async () => {
    const all = await Promise.all(UNPROVEN.map(([, token]) => seen(token())));
    expect(new Set(all).size).toBe(1);
    expect(all[0]).toContain('the identity token was refused');
    expect(all[0]).not.toContain('\\"reason');
  });

  it.each(UNPROVEN)('a token that is not proven has its reason, `%s`, in the audit', async (reason, token) => {
    expect(await itemOf(await ask(token()))).toMatchObject({ reason, route: 'GET /me' });
  });

  it('a token that is not proven is in one line of the log with what it says of itself, under the id of the request', async () => {
    const warn = jest.spyOn(mayfly.broker.services.log, 'warn');
    const claims = { iss: 'https://nobody.example\n\u001b[2J', sub: '=cmd()', aud: 'x'.repeat(2000) };
    const token = stranger.sign(claims, { kid: 'k\u0000', typ: 'JWT' });
    const answer = await ask(token);
    const facts = {
      ...{ reason: 'unknown_issuer', issuer: 'https://nobody.example\\u{a}\\u{1b}[2J', subject: "'=cmd()" },
      ...{ kid: 'k\\u{0}', alg: 'ES256', typ: 'JWT', aud: `${'x'.repeat(128)}...`, route: 'GET /me' },
    };
    const { requestId, ...item } = await itemOf(answer);
    expect(item).toEqual({ at: expect.any(String), ...facts });
    expect(warn.mock.calls).toEqual([[{ reqId: requestId, ...facts }, 'identity refused']]);
    expect(JSON.stringify([warn.mock.calls, item])).not.toContain(token.split('.')[2]);
  });

  it('a token that is not proven of an issuer whose keys cannot be read is answered 503, and is in the list and in one line of the log', async () => {
    const { log } = mayfly.broker.services;
    const warn = jest.spyOn(log, 'warn');
    const answer = await ask(new FakeIssuer({ clock, issuer: 'https://down.example' }).sign());
    expect(answer).toMatchObject({ status: 503, body: { type: 'urn:mayfly:problem:unavailable' } });
    expect(await itemOf(answer)).toMatchObject({ reason: 'keys_unavailable', issuer: 'down' });
    expect(warn).toHaveBeenCalledTimes(1);
  });

  it('a request without a token is told that the token is missing', async () => {
    const answer = await mayfly.send('GET /me');
    expect(answer).toMatchObject({ status: 401, body: { reason: 'no_token' } });
    expect(answer.headers.get('www-authenticate')).toBe('Bearer');
  });
});

describe('a flood of refusals', () => {
  const bodies = (type: string, like: string) =>
    rowsOf<{ body: string }>(
      mayfly.database.adminUrl,
      `SELECT body FROM audit_entry WHERE type = '${type}' AND body LIKE '%${like}%'`,
    ).then((rows) => rows.map(({ body }) => JSON.parse(body) as { count?: number }));
  const total = (entries: readonly { count?: number }[]) => entries.reduce((sum, { count = 1 }) => sum + count, 0);
  const metric = async (line: string): Promise<number> => {
    const text = await (await fetch(`${mayfly.url}/metrics`)).text();
    return Number(
      text
        .split('\n')
        .find((one) => one.startsWith(line))
        ?.split(' ')
        .at(-1) ?? 0,
    );
  };

  it('a flood of refusals of strangers has a bounded number of entries and lines, an exact count, and hides no other reason', async () => {
    const METRIC = 'mayfly_identity_refusals_total{reason="algorithm"}';
    const before = [await metric(METRIC), total(await bodies('identity.refused', '"reason":"algorithm"'))];
    const warn = jest.spyOn(mayfly.broker.services.log, 'warn');
    for (let round = 0; round < 10; round += 1) {
      await Promise.all(Array.from({ length: 50 }, () => ask(signed({}, { alg: 'none' }))));
    }
    expect(await itemOf(await ask('another-reason'))).toMatchObject({ reason: 'malformed' });
    await mayfly.broker.services.denials.flush('all');
    const entries = await bodies('identity.refused', '"reason":"algorithm"');
    expect(total(entries) - before[1]!).toBe(500);
    // Ten a minute of one issuer and their count; the flood may have seen two minutes.
    expect(entries.length).toBeLessThan(30);
    expect(warn.mock.calls.length).toBeLessThan(30);
    expect((await metric(METRIC)) - before[0]!).toBe(500);
    expect(await refusals('&reason=algorithm')).toContainEqual(
      expect.objectContaining({ reason: 'algorithm', count: expect.any(Number), from: expect.any(String) }),
    );
  });

  it('a flood of refusals of one looping agent is bounded and counted as well', async () => {
    const token = mayfly.agentToken('support-agent');
    const loop = { template: 'no-such-template', purpose: 'try again' };
    for (let round = 0; round < 6; round += 1) {
      await Promise.all(Array.from({ length: 50 }, () => mayfly.send('POST /tasks', { token, body: loop })));
    }
    await mayfly.broker.services.denials.flush('all');
    const entries = await bodies('task.denied', '"agent":"support-agent"');
    expect(total(entries)).toBe(300);
    expect(entries.length).toBeLessThan(210);
    const details = entries.filter(({ count }) => count === undefined);
    expect(details[0]).toMatchObject({ requestId: expect.stringMatching(/^req_/) });
  });
});

describe('GET /refusals', () => {
  it('GET /refusals is newest first, in pages, by reason, issuer and time', async () => {
    const all = await refusals();
    expect(all.map(({ at }) => at)).toEqual(
      all
        .map(({ at }) => at as string)
        .toSorted()
        .toReversed(),
    );
    const found: JsonObject[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const query: string = cursor === '' ? '' : `&cursor=${cursor}`;
      const page = await mayfly.send(`GET /refusals?limit=20${query}`, { token: mayfly.personToken('platform') });
      found.push(...(page.body.items as JsonObject[]));
      cursor = page.body.nextCursor as string | null;
    }
    expect(found).toEqual(all);
    expect(await refusals('&reason=profile')).toMatchObject([{ issuer: 'cluster' }]);
    expect(await refusals('&issuer=once')).toMatchObject([{ reason: 'replayed' }]);
    expect(await refusals('&issuer=https://stranger.example&reason=unknown_issuer')).not.toEqual([]);
    expect(await refusals('&to=2026-01-01T00:00:00Z')).toEqual([]);
  });

  it.each(['reason=nonsense', 'issuer=', 'cursor=x', 'subject=a'])('GET /refusals refuses ?%s', async (query) => {
    const answer = await mayfly.send(`GET /refusals?${query}`, { token: mayfly.personToken('platform') });
    expect(answer.status).toBe(400);
  });
});

describe('docs/problems.md', () => {
  it('docs/problems.md shows answers that the service gives', async () => {
    const documented = [...readFileSync('docs/problems.md', 'utf8').matchAll(/```json\n([^`]+|`(?!``))+```/g)].map(
      ([block]) => JSON.parse(block.slice('```json\n'.length, -'```'.length)) as JsonObject,
    );
    const exp = Date.parse('2026-11-22T14:52:32Z') / 1000;
    const runInCi = { template: 'support-read-cases', purpose: 'answer ticket 4711' };
    const answers = [
      await mayfly.send('POST /tasks', { token: mayfly.agentToken('support-agent'), body: runInCi }),
      await ask(signed({ iat: exp - 300, exp })),
      await ask(signed({ sub: 'f5b0c0de-5b1e-4c11-9d52-3a6f0a8f2c11' })),
    ];
    const instance = 'urn:mayfly:request:req_01kansx8g0fmbv0xs40yaz3ag5';
    const decided = { decisionId: 'dec_01kansx8g0fmbv0xs40yaz3ag5' };
    expect(documented).toEqual(
      answers.map(({ body: answer }) => ({
        ...{ ...answer, instance },
        ...(answer.decisionId === undefined ? {} : decided),
      })),
    );
  });
});
