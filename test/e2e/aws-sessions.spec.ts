import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AWS_ACCOUNTS } from '../contract/aws-accounts.js';
import { AwsTarget, type Secret } from '../contract/aws-target.js';
import {
  awsConnection,
  awsEnvironment,
  EXPORT_AGENT,
  EXPORT_REQUEST,
  exportTemplate,
} from '../support/aws-documents.js';
import { startTestBroker, type TestAnswer, type TestBroker } from '../support/broker.js';
import { yamlOf } from '../support/declared.js';
import { until } from '../support/until.js';

interface Lease {
  readonly leaseId: string;
  readonly state: string;
  readonly revokeEffectiveAt?: string;
  readonly renewRequestedAt?: string;
  readonly secret: Secret;
}

describe.each(AWS_ACCOUNTS)('AWS sessions through the whole service, on %s', (_, startAccount) => {
  let target: AwsTarget;
  let broker: TestBroker;
  let role: string;
  let stop: () => Promise<void>;

  beforeAll(async () => {
    const account = await startAccount();
    target = await AwsTarget.open(account.aws);
    role = await target.createRole();
    const documents = yamlOf(EXPORT_AGENT, awsConnection(target), exportTemplate(target, role));
    broker = await startTestBroker({ documents, environment: awsEnvironment(target) });
    stop = () => account.stop();
  });
  afterAll(async () => {
    await broker.stop();
    await target.close();
    await stop();
  });

  const send = (route: string, body?: unknown): Promise<TestAnswer> =>
    broker.send(route, { token: broker.agentToken('support-agent'), body });
  const ask = async (more: object = {}) => {
    const answer = await send('POST /tasks', { ...EXPORT_REQUEST, ...more });
    expect(answer).toMatchObject({ status: 201 });
    return taskIn(answer);
  };
  const taskIn = ({ body }: TestAnswer) => ({
    id: body.id as string,
    lease: (body.credentials as unknown as Lease[])[0]!,
  });
  const complete = (id: string): Promise<TestAnswer> => send(`POST /tasks/${id}/complete`);
  const leaseOf = async (id: string): Promise<Lease> => taskIn(await send(`GET /tasks/${id}`)).lease;
  const untilState = (id: string, state: string): Promise<Lease> =>
    until(`the lease is ${state}`, 30, async () => {
      const lease = await leaseOf(id);
      return lease.state === state && lease;
    });
  const audited = async (type: string): Promise<number> => {
    const { rowCount } = await broker.broker.services.database.pool.query(
      'SELECT FROM public.audit_entry WHERE type = $1',
      [type],
    );
    return rowCount ?? 0;
  };

  it('the service tries the connection and names nothing that is missing', async () => {
    const tested = await broker.send('POST /connections/aws-crm/test', { token: broker.personToken('platform') });
    expect(tested.status).toBe(200);
    const failed = (tested.body.checks as { outcome: string }[]).filter(({ outcome }) => outcome === 'missing');
    expect(failed).toEqual([]);
  });

  it('the service grants what the template says, ends it with the task, and says from when on AWS refuses', async () => {
    const { id, lease } = await ask();
    expect(lease).toMatchObject({
      state: 'active',
      revocation: 'propagating',
      facts: { policyCharacters: expect.any(Number) },
    });
    const read = target.readerOf(lease.secret);
    expect(await read('reports/1')).toBe(true);
    expect(await read('private/1')).toBe(false);

    const ended = taskIn(await complete(id)).lease;
    expect(ended).toMatchObject({ state: 'revoking', revokeEffectiveAt: expect.any(String) });
    expect(await read()).toBe(false);
    const revoked = await untilState(id, 'revoked');
    expect(revoked.revokeEffectiveAt).toBe(ended.revokeEffectiveAt);
    expect((await send(`GET /tasks/${id}`)).body.state).toBe('completed');
  });

  it('the service ends a task of seconds within them, with the session still young at STS', async () => {
    const { id, lease } = await ask({ ttlSeconds: 3 });
    const read = target.readerOf(lease.secret);
    expect(await read()).toBe(true);
    await until('the deadline has passed', 10, async () => !(await read()));
    expect(await untilState(id, 'expired')).toMatchObject({ endCause: 'expired' });
  });

  describe('with 300 sessions of one role', () => {
    let tasks: Awaited<ReturnType<typeof ask>>[];
    const alive = (): Promise<boolean[]> => Promise.all(tasks.map(({ lease }) => target.isAlive(lease.secret)));
    const renewedSecrets: Secret[] = [];
    const endAll = (ended: readonly { readonly id: string }[]) => Promise.all(ended.map(({ id }) => complete(id)));

    beforeAll(async () => {
      const mixed = await Promise.all(Array.from({ length: 300 }, () => ask()));
      tasks = mixed.sort(() => Math.random() - 0.5);
    });

    it('the service with 300 sessions of one role refuses exactly the 150 whose tasks ended', async () => {
      expect((await alive()).filter(Boolean)).toHaveLength(300);
      await endAll(tasks.slice(0, 150));
      expect(await alive()).toEqual(tasks.map((_task, index) => index >= 150));
    });

    it('the service cuts the role off before its policies overflow, and marks affected leases for renewal', async () => {
      // a cut-off also names each session that is younger than the slack between two clocks; these become older
      await broker.broker.services.database.pool.query(
        `UPDATE public.lease SET issued_by = issued_by - interval '15 seconds'`,
      );
      await endAll(tasks.slice(150, 270));
      expect((await alive()).filter(Boolean)).toEqual([]);
      const innocent = tasks.slice(270);
      const told = await Promise.all(innocent.map(({ id }) => leaseOf(id)));
      expect(told.filter(({ renewRequestedAt }) => renewRequestedAt !== undefined)).toHaveLength(30);
      expect(await audited('lease.cut-off')).toBe(30);
      expect(await audited('target.cut-off')).toBe(1);
      for (const { id } of innocent) {
        const renewed = await send(`POST /tasks/${id}/renew`, {});
        expect(renewed.status).toBe(200);
        const { lease } = taskIn(renewed);
        expect(await target.isAlive(lease.secret)).toBe(true);
        expect(lease.renewRequestedAt).toBeUndefined();
        renewedSecrets.push(lease.secret);
      }
    });

    it('the service with 300 sessions of one role leaves nothing usable once all of them have ended', async () => {
      await endAll(tasks.slice(270));
      expect((await alive()).filter(Boolean)).toEqual([]);
      for (const secret of renewedSecrets) expect(await target.isAlive(secret)).toBe(false);
    });
  });

  it('the service restores a deny policy that another party removed, and audits the repair', async () => {
    const { id, lease } = await ask();
    await complete(id);
    const before = await audited('target.repaired');
    await target.removeDocument(role);
    expect(await target.isAlive(lease.secret)).toBe(true);
    await broker.broker.services.database.pool.query(
      `UPDATE public.denial_document SET checked_at = now() - interval '1 hour'`,
    );
    await until('the document is back', 15, async () => !(await target.isAlive(lease.secret)));
    await until('the repair is recorded', 5, async () => (await audited('target.repaired')) > before);
  });

  it('the service renews by a new session, which the same denial ends', async () => {
    const { id, lease } = await ask({ ttlSeconds: 60 });
    const renewed = await send(`POST /tasks/${id}/renew`, { ttlSeconds: 600 });
    expect(renewed.status).toBe(200);
    const fresh = taskIn(renewed).lease.secret;
    expect([await target.isAlive(lease.secret), await target.isAlive(fresh)]).toEqual([true, true]);
    await complete(id);
    expect([await target.isAlive(lease.secret), await target.isAlive(fresh)]).toEqual([false, false]);
  });

  it('the service keeps a denial that its database does not know, and a reconciliation reports it', async () => {
    const strange = target.orderFor(role);
    const alive = target.readerOf(await target.mint(strange));
    await target.revoke(strange);
    expect(await alive()).toBe(false);
    // as an older backup has it, so that no running process takes the document for its own
    await broker.broker.services.database.pool.query('UPDATE public.denial_document SET revision = 0');
    const { id } = await ask();
    await complete(id);
    await untilState(id, 'revoked');
    expect(await alive()).toBe(false);
    const asked = await broker.send('POST /reconciliations', {
      token: broker.personToken('operator'),
      body: { connection: 'aws-crm' },
    });
    expect(asked.status).toBe(202);
    const found = await until('the reconciliation is done', 20, async () => {
      const path = `GET /reconciliations/${asked.body.id as string}`;
      const { body } = await broker.send(path, { token: broker.personToken('operator') });
      return body.state === 'done' && body;
    });
    expect(found.differences).toMatchObject([
      { kind: 'unknown_denial', action: 'reported', object: strange.leaseId, leaseId: strange.leaseId },
    ]);
    expect(await audited('target.denials-kept')).toBe(1);
  });
});
