import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { TestAnswer } from '../support/broker.js';
import type { BrokenAnswerName } from '../support/broken-answers.js';
import { Canaries } from '../support/canaries.js';
import { lettersOf } from '../support/canary-back-ends.js';
import { type Breaking, BREAKING, breakingName, BREAKS, draftAt } from '../support/canary-documents.js';
import { bodyFor, CanaryScene, MARKER } from '../support/canary-scene.js';
import { rowsOf } from '../support/rows.js';
import { type TaskBody, taskIn } from '../support/tasks.js';
import { until } from '../support/until.js';

/** The back ends' calls whose answers break together: each use of a connection meets one of them. */
const PLACES: Readonly<Record<Breaking, readonly (readonly string[])[]>> = {
  vault: [
    ['auth/approle/login'],
    [
      ...['auth/token/create', 'auth/token/renew-accessor', 'sys/leases/revoke'],
      ...['sys/capabilities-self', 'sys/internal/ui/mounts'],
    ],
    ['database/creds', 'sys/leases/renew', 'sys/leases/lookup', 'auth/token/roles', 'database/roles'],
    ['auth/token/revoke-accessor', 'auth/token/lookup-self'],
  ],
  aws: [
    ['GetCallerIdentity', 'AssumeRole'],
    ['GetRolePolicy', 'PutRolePolicy'],
  ],
  web: [['AssumeRoleWithWebIdentity']],
};

let scene: CanaryScene;

const renew = async (id: string): Promise<TestAnswer> =>
  scene.ask(`POST /tasks/${id}/renew`, await scene.agent(), { body: { ttlSeconds: 900 } });

/** Grants, replays, renewals, and the ways in which a task ends. Returns a task that expires soon. */
async function liveThrough(): Promise<string> {
  const keyed = { headers: { 'idempotency-key': randomUUID() } };
  const first = await scene.grant('both', {}, keyed);
  expect((await scene.grant('both', {}, keyed)).id).toBe(first.id);
  const others = ['vault-token', 'vault-jwt', 'vault-signed', 'aws-session', 'aws-web'];
  const [short, killed, ...more] = await Promise.all([
    scene.grant('both', { ttlSeconds: 5 }),
    scene.grant('both'),
    ...others.map((template) => scene.grant(template)),
  ]);
  await keepSealed();
  expect((await renew(first.id)).status).toBe(200);
  await scene.ask(`POST /tasks/${first.id}/heartbeat`, await scene.agent());
  await scene.ask('POST /tasks?dryRun=true', await scene.agent(), { body: bodyFor('both') });
  await scene.ask(`DELETE /tasks/${killed.id}`, await scene.person('operator'));
  await scene.ask(`POST /tasks/${first.id}/complete`, await scene.agent());
  for (const task of more) await failQuoting(task);
  return short.id;
}

/** Keeps rows and keys while secrets are sealed for a replay and jobs wait in the queue. */
async function keepSealed(): Promise<void> {
  const sealed = await rowsOf(scene.database.adminUrl, 'SELECT FROM idempotency_key WHERE sealed_answer IS NOT NULL');
  expect(sealed).not.toEqual([]);
  await scene.keepStores();
}

/** An agent that quotes the error of its own login, as it asks for its next task and as it gives up. */
async function failQuoting({ id, credentials }: TaskBody): Promise<void> {
  const token = await scene.agent();
  const { password = lettersOf('none') } = credentials[0]?.secret ?? {};
  const reason = `cannot connect to postgresql://crm:${password}@crm.example/crm as ${token}`.slice(0, 500);
  await scene.ask('POST /tasks', token, { body: bodyFor('both', { purpose: reason, ttlSeconds: 1 }) });
  await scene.ask(`POST /tasks/${id}/fail`, token, { body: { reason } });
}

/** A whole life at answers that break: mint, renewal, completion, and the questions about connection and template. */
async function breakAll(backEnd: Breaking, how: BrokenAnswerName): Promise<void> {
  const connection = breakingName(backEnd, how);
  const platform = await scene.person('platform');
  for (const places of PLACES[backEnd]) {
    // short enough that the renewal has to ask the back end
    const { id } = await scene.grant(connection, { ttlSeconds: 120 });
    const token = await scene.agent();
    await scene.backEnds.breakDuring({ how, places }, async () => {
      if (places.includes('auth/approle/login')) scene.backEnds.vault.server.fake?.loseLogins();
      await Promise.all([
        scene.ask('POST /tasks', token, { body: bodyFor(connection) }),
        renew(id).then(() => scene.ask(`POST /tasks/${id}/complete`, token)),
        scene.ask(`POST /connections/${connection}/test`, platform),
        ...(backEnd === 'vault' ? [scene.ask('POST /templates/lint', platform, { body: draftAt(connection) })] : []),
      ]);
      // A target that is not reached is called once a second; the worker asks it again.
      await until(`${backEnd} was asked at ${places.join(', ')}`, 30, async () =>
        places.every((place) => scene.backEnds.given.has(`${how} at ${place}`)),
      );
    });
    await scene.ask(`GET /tasks/${id}`, token);
  }
}

/** Logins that the back ends refuse, secrets that cannot be sent, and a secret that nobody could revoke. */
async function beRefused(): Promise<void> {
  const platform = await scene.person('platform');
  for (const name of ['vault-wrong', 'vault-odd', 'vault-fixed', 'aws-wrong']) {
    const answer = await scene.ask('POST /tasks', await scene.agent(), { body: bodyFor(name) });
    expect([502, 503]).toContain(answer.status);
    await scene.ask(`POST /connections/${name}/test`, platform);
  }
  const secretId = lettersOf('declared');
  scene.canaries.plant('secret in a declaration', secretId);
  const config = { address: 'http://127.0.0.1:1', auth: { method: 'approle', roleId: secretId, secretId } };
  const spec = { provider: 'vault', owner: 'platform', config };
  const body = { kind: 'Connection', metadata: { name: 'declared' }, spec };
  expect((await scene.ask('POST /connections', platform, { body })).status).toBe(422);
}

/** A mint whose caller stops waiting. Resolves when the back end holds it, with the wait for its end. */
async function hang(): Promise<() => Promise<void>> {
  const { fake } = scene.backEnds.aws;
  fake.fail('AssumeRole', { kind: 'hang' });
  const hanging = scene.ask('POST /tasks', await scene.agent(), { body: bodyFor('both') });
  await until('AWS holds the answer', 10, () => Promise.resolve(fake.done.has('AssumeRole')));
  return async () => {
    expect((await hanging).status).toBe(503);
  };
}

/** A service that is killed after the mint and before its record. Its jobs are in PostgreSQL. */
async function die(): Promise<void> {
  const dying = await scene.startAnother({ MAYFLY_WORKER: 'off', MAYFLY_FAILPOINT: 'mint', REDIS_URL: '' });
  const headers = { 'idempotency-key': randomUUID() };
  const call = { token: await scene.agent(), body: bodyFor('both'), headers };
  await expect(dying.send('POST /tasks', call)).rejects.toThrow();
  await dying.exited;
  scene.keepOutput(dying);
}

/** The end of an agent, and everything that can be read of all tasks. */
async function endAndRead(): Promise<void> {
  const token = await scene.agent('doomed-agent');
  const answer = await scene.ask('POST /tasks', token, { body: bodyFor('both') });
  expect(answer.status).toBe(201);
  await scene.ask('POST /agents/doomed-agent/suspend', await scene.person('operator'), { body: {} });
  const auditor = await scene.person('auditor');
  for (const path of ['issuances?limit=200', 'audit/entries?limit=200', `tasks/${taskIn(answer).id}/timeline`]) {
    expect(await scene.ask(`GET /${path}`, auditor)).toMatchObject({ status: 200 });
  }
  const platform = await scene.person('platform');
  for (const path of ['connections', 'agents', 'templates', 'refusals']) {
    expect(await scene.ask(`GET /${path}`, platform)).toMatchObject({ status: 200 });
  }
  scene.keep('answers', await (await fetch(`${scene.broker.url}/metrics`)).text());
}

beforeAll(async () => {
  scene = await CanaryScene.open();
  const hung = await hang();
  const [short] = await Promise.all([liveThrough(), die(), beRefused()]);
  const breakOne = async (backEnd: Breaking): Promise<void> => {
    for (const how of BREAKS) await breakAll(backEnd, how);
  };
  await Promise.all(BREAKING.map(breakOne));
  await hung();
  await until('a task has expired', 20, async () => {
    const { body } = await scene.ask(`GET /tasks/${short}`, await scene.agent());
    return body.state === 'expired';
  });
  await endAndRead();
  await scene.keepStores();
  expect(await scene.crash()).toEqual({ code: 1, signal: null });
}, 300_000);

afterAll(() => scene.close());

describe('a secret of a back end', () => {
  it('each call of each back end was answered in each broken way', () => {
    const wanted = BREAKING.flatMap((backEnd) =>
      BREAKS.flatMap((how) => PLACES[backEnd].flat().map((place) => `${how} at ${place}`)),
    );
    expect(wanted.filter((one) => !scene.backEnds.given.has(one))).toEqual([]);
  });

  it.each(['rows', 'queue', 'output', 'answers', 'problems'] as const)(
    'a secret of a back end is found nowhere in the %s',
    (place) => {
      const leaks = scene.textsIn(place).flatMap((text) => scene.canaries.leaksIn(text));
      expect(leaks.slice(0, 20)).toEqual([]);
    },
  );

  it.each([
    ['rows', MARKER],
    ['queue', 'bull'],
    ['output', 'Server listening at'],
    ['answers', 'mayfly_issuance_total'],
    ['problems', 'urn:mayfly:problem:provider_rejected'],
  ] as const)('a secret of a back end would be found in the %s, which hold what they should', (place, marker) => {
    expect(scene.textsIn(place).some((text) => text.includes(marker))).toBe(true);
  });

  it.each<[string, (secret: string) => string]>([
    ['plain', (secret) => secret],
    ['in upper case', (secret) => secret.toUpperCase()],
    ['in part', (secret) => secret.slice(3, 23)],
    ['in JSON', (secret) => JSON.stringify({ secret })],
    ['in JSON in JSON', (secret) => JSON.stringify({ body: JSON.stringify({ secret }) })],
    ['in a URL', (secret) => encodeURIComponent(secret)],
    ['in a form', (secret) => new URLSearchParams({ secret }).toString()],
    ['in hexadecimal', (secret) => Buffer.from(`x${secret}`).toString('hex')],
    ['in base64', (secret) => Buffer.from(`x${secret}`).toString('base64')],
    ['in base64url', (secret) => Buffer.from(`xx${secret}`).toString('base64url')],
  ])('a secret of a back end would be found %s', (_, written) => {
    const probe = new Canaries();
    const secret = '"<&>"\\ÿþ/+?~ù"ÿþ/+ "&"<&>"\\';
    probe.plant('secret', secret);
    expect(probe.findIn(`before ${written(secret)} after`)).toEqual(['secret']);
  });
});
