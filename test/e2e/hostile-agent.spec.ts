import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { fillLockTable } from '../contract/postgres-misdeeds.js';
import { openSession, run } from '../contract/sql.js';
import { startTestBroker, type TestBroker } from '../support/broker.js';
import { starterWith } from '../support/starter.js';
import { grant, READ_EMEA, secretOf } from '../support/tasks.js';
import { until } from '../support/until.js';

let mayfly: TestBroker;
let targetUrl: string;
let loginUrl: string;
const agent = () => mayfly.agentToken('support-agent');

beforeAll(async () => {
  const starter = await starterWith();
  targetUrl = starter.targetUrl;
  loginUrl = starter.environment.CRM_DATABASE_URL;
  mayfly = await startTestBroker(starter);
});
afterAll(() => mayfly.stop());

describe('an agent that fills the lock table of the server which also holds the store', () => {
  it('an agent that fills the lock table of the server which also holds the store keeps neither its own task nor that of another agent alive', async () => {
    // An operator whose applications need advisory locks has left them to everybody.
    await run(targetUrl, 'GRANT EXECUTE ON FUNCTION pg_advisory_xact_lock(bigint) TO PUBLIC');
    const [culprit, victim] = [await grant(mayfly, agent(), READ_EMEA), await grant(mayfly, agent(), READ_EMEA)];
    const hostile = await openSession(secretOf(culprit, 'db', 'url'));
    const open = await openSession(secretOf(victim, 'db', 'url'));
    await fillLockTable(hostile.client);
    for (const { id } of [victim, culprit]) {
      await until(
        'complete is answered',
        20,
        async () => (await mayfly.send(`POST /tasks/${id}/complete`, { token: agent() })).status === 200,
      );
    }
    expect(await hostile.ended).toBeInstanceOf(Error);
    await expect(open.client.query('SELECT * FROM emea.cases')).rejects.toThrow();
    for (const task of [culprit, victim]) {
      await expect(openSession(secretOf(task, 'db', 'url'))).rejects.toMatchObject({ code: '28P01' });
    }
    await grant(mayfly, agent(), READ_EMEA);
  });
});

describe('a connection whose login stops working', () => {
  const setPassword = (password: string): Promise<void> =>
    run(targetUrl, `ALTER ROLE mayfly_crm PASSWORD '${password}'`);
  const rightOne = (): string => new URL(loginUrl).password;
  afterAll(() => setPassword(rightOne()));

  it('a connection whose login stops working grants nothing, says so in the problem, the audit and the metrics, and grants again when it works', async () => {
    const living = await grant(mayfly, agent(), READ_EMEA);
    await setPassword('rotated');
    await mayfly.broker.services.attendance.round();
    expect(await mayfly.send('POST /tasks', { token: agent(), body: READ_EMEA })).toMatchObject({
      status: 503,
      body: { reason: 'revocation-failing', detail: expect.stringContaining('28P01') },
    });
    const tested = await mayfly.send('POST /connections/crm/test', { token: mayfly.personToken('platform') });
    expect(tested.body).toMatchObject({ ok: false, checks: [{ name: 'log in', outcome: 'failed' }] });
    expect(await auditTypes()).toEqual(['connection.revocation-failing']);
    const metrics = await mayfly.broker.services.metrics.render();
    expect(metrics.body).toContain('mayfly_revocation_failing{connection="crm"} 1');
    await setPassword(rightOne());
    await mayfly.broker.services.attendance.round();
    await grant(mayfly, agent(), READ_EMEA);
    expect(await auditTypes()).toEqual(['connection.revocation-failing', 'connection.revocation-restored']);
    expect((await mayfly.send(`POST /tasks/${living.id}/complete`, { token: agent() })).status).toBe(200);
  });

  const auditTypes = async (): Promise<unknown[]> => {
    const { rows } = await mayfly.broker.services.database.pool.query<{ type: string }>(
      `SELECT type FROM public.audit_entry WHERE type LIKE 'connection.revocation-%' ORDER BY batch, place`,
    );
    return rows.map(({ type }) => type);
  };
});
