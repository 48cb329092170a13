import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { MAYFLY } from '@mayfly/audit';
import { Problem } from '@mayfly/kernel';
import { FakeTaskStores, IssuanceService, templateOf } from '@mayfly/testing';
import { ConnectionAttendance } from './connection-attendance.js';

const UNREACHED = {
  kind: 'unknown',
  unreached: true,
  detail: 'the database refused the login of the connection; change its `url` (28P01)',
} as const;
const STARTING = 'the database is starting or shutting down; wait, Mayfly tries again (57P03)';
const REFUSED = { code: 'provider_unavailable', extensions: { reason: 'revocation-failing' } };

describe('the alarm for revocations that fail', () => {
  let stores: FakeTaskStores;
  let service: IssuanceService<FakeTaskStores>;

  beforeEach(async () => {
    stores = new FakeTaskStores();
    service = new IssuanceService(stores);
    // the fresh logins of an attended connection end its alarm
    Object.assign(service.dummy, { attend: () => Promise.resolve() });
    await service.publish(
      templateOf({
        credentials: [{ name: 'crm', provider: 'dummy', connection: 'crm', scope: { permissions: ['x'] } }],
      }),
    );
  });

  const entries = () =>
    stores.scene.audit.flatMap(({ type, body }) => (type.startsWith('connection.') ? [{ type, body }] : []));
  const end = async () => {
    const { plan } = await service.issue();
    await service.ending.end({ taskId: plan.task.id, cause: 'completed', actor: MAYFLY });
  };

  it('the alarm for revocations that fail closes the connection for new leases, writes one entry and one line, and opens it when a revocation works', async () => {
    const { plan } = await service.issue();
    const revoke = jest.spyOn(service.dummy, 'revoke').mockResolvedValue(UNREACHED);
    await end();
    await service.ending.end({ taskId: plan.task.id, cause: 'completed', actor: MAYFLY });
    await expect(service.issue()).rejects.toMatchObject(REFUSED);
    expect(entries()).toMatchObject([
      { type: 'connection.revocation-failing', body: expect.stringContaining('(28P01)') },
    ]);
    expect(service.told).toMatchObject([{ connection: 'crm', reason: UNREACHED.detail }]);
    expect(service.alarm.counts()).toEqual(new Map([['crm', 1]]));
    revoke.mockRestore();
    await stores.scene.advance(5);
    await service.closing.sweep(10);
    await service.closing.settled();
    await service.issue();
    expect(entries().map(({ type }) => type)).toEqual([
      'connection.revocation-failing',
      'connection.revocation-restored',
    ]);
    expect(service.alarm.counts()).toEqual(new Map());
  });

  it.each([UNREACHED.detail, STARTING])(
    'the refusal of a connection whose revocations fail ends with the reason and adds no other change: %s',
    async (detail) => {
      jest.spyOn(service.dummy, 'revoke').mockResolvedValue({ ...UNREACHED, detail });
      await end();
      await expect(service.issue()).rejects.toMatchObject({
        ...REFUSED,
        detail: `connection \`crm\` grants no lease while Mayfly cannot log in there to revoke: ${detail}`,
      });
    },
  );

  it('the alarm for revocations that fail leaves the connection open whose logins nothing renews: only a revocation would end it', async () => {
    Object.assign(service.dummy, { attend: undefined });
    jest.spyOn(service.dummy, 'revoke').mockResolvedValue(UNREACHED);
    await end();
    await service.issue();
    expect([entries(), service.told]).toEqual([[], []]);
  });

  it('the alarm for revocations that fail leaves the connection open where one lease alone cannot be ended', async () => {
    jest.spyOn(service.dummy, 'revoke').mockResolvedValue({ kind: 'unknown', detail: 'its sessions do not end' });
    await end();
    await service.issue();
    expect([entries(), service.told]).toEqual([[], []]);
  });

  it('the alarm for revocations that fail closes the connection when attending to it shows that the login stopped working, and opens it when it works', async () => {
    const attend = jest.fn(async (): Promise<void> => undefined);
    Object.assign(service.dummy, { attend });
    const living = jest.fn(async (names?: readonly string[]) => names ?? ['crm', 'undeclared']);
    const attendance = new ConnectionAttendance({
      store: { living },
      connections: {
        find: (name) => (name === 'crm' ? { name, spec: { provider: 'dummy', owner: 'o', config: {} } } : undefined),
      },
      targets: service.targets,
      clocks: { note: () => undefined },
      used: () => ['crm'],
      alarm: service.alarm,
      report: (error) => void service.reports.push(error),
    });
    await attendance.round();
    await service.issue();
    attend.mockRejectedValueOnce(new Problem('provider_rejected', 'the login was refused'));
    await attendance.round();
    expect(living.mock.lastCall).toEqual([['crm', 'undeclared']]);
    await expect(service.issue()).rejects.toMatchObject(REFUSED);
    await attendance.round();
    await service.issue();
    expect(service.reports).toEqual([]);
  });
});
