import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { RoleSchema } from '@mayfly/identity';
import { Controller, Get, Module } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, NestFactory, Reflector } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { IdentityGuard, type Permission, ProblemFilter } from '@mayfly/http';
import { createHttp } from '../../apps/broker/src/http.js';
import { startTestBroker, type TestBroker } from '../support/broker.js';
import { agentDocument, yamlOf } from '../support/documents.js';

const READERS: readonly Permission[] = ['platform', 'operator', 'auditor'];

/** The permissions of every route. A route that this table lacks, and a row without a route, fail the test. */
const TABLE: Readonly<Record<string, readonly Permission[]>> = {
  'POST /tasks': ['agent'],
  'GET /tasks/:id': ['agent', 'operator', 'auditor'],
  'DELETE /tasks/:id': ['operator'],
  'POST /tasks/:id/complete': ['agent'],
  'POST /tasks/:id/fail': ['agent'],
  'POST /tasks/:id/heartbeat': ['agent'],
  'POST /tasks/:id/renew': ['agent'],
  'GET /tasks/:id/timeline': ['operator', 'auditor'],
  'GET /tasks/:id/control-trace': ['operator', 'auditor', 'platform'],
  'GET /decisions/:id': ['agent', 'operator', 'auditor', 'platform'],
  'POST /decisions/:id/replay': ['operator', 'auditor', 'platform'],
  'POST /decisions/:id/what-if': ['operator', 'auditor', 'platform'],
  'GET /.well-known/authzen-configuration': ['anyone'],
  'POST /access/v1/evaluation': ['agent', 'operator', 'auditor', 'platform'],
  'POST /access/v1/evaluations': ['agent', 'operator', 'auditor', 'platform'],
  'GET /me': ['agent'],
  'GET /leases': ['operator', 'auditor'],
  'POST /tasks/:id/delegate': ['agent'],
  'POST /tasks/:id/accept': ['agent'],
  'GET /tasks/:id/tree': ['agent', 'operator', 'auditor'],
  'POST /leases/:id/abandon': ['operator'],
  'GET /lockdowns': ['operator', 'auditor'],
  'GET /lockdowns/:id': ['operator', 'auditor'],
  'POST /lockdowns': ['operator'],
  'POST /lockdowns/:id/release': ['operator'],
  'GET /quarantine': ['operator', 'auditor'],
  'POST /quarantine/confirm': ['operator'],
  'POST /reconciliations': ['operator'],
  'GET /reconciliations': ['operator', 'auditor'],
  'GET /reconciliations/:id': ['operator', 'auditor'],
  'GET /issuances': ['operator', 'auditor'],
  'GET /refusals': ['platform'],
  'GET /audit/entries': ['auditor'],
  'GET /templates': [...READERS, 'approver'],
  'POST /templates': ['platform'],
  'POST /templates/lint': ['platform'],
  'GET /templates/:name': [...READERS, 'approver'],
  'PUT /templates/:name': ['platform'],
  'POST /templates/:name/publish': ['platform'],
  'POST /templates/:name/retire': ['platform'],
  'GET /templates/:name/draft': [...READERS, 'approver'],
  'GET /templates/:name/versions': [...READERS, 'approver'],
  'GET /templates/:name/versions/:version': [...READERS, 'approver'],
  'GET /templates/:name/diff': [...READERS, 'approver'],
  'GET /agents': READERS,
  'POST /agents': ['platform'],
  'GET /agents/:name': READERS,
  'PUT /agents/:name': ['platform'],
  'POST /agents/:name/activate': ['platform', 'operator'],
  'POST /agents/:name/suspend': ['platform', 'operator'],
  'POST /agents/:name/retire': ['platform', 'operator'],
  'GET /issuers': READERS,
  'POST /issuers': ['platform'],
  'GET /issuers/:name': READERS,
  'PUT /issuers/:name': ['platform'],
  'DELETE /issuers/:name': ['platform'],
  'GET /connections': READERS,
  'POST /connections': ['platform'],
  'GET /connections/:name': READERS,
  'PUT /connections/:name': ['platform'],
  'DELETE /connections/:name': ['platform'],
  'GET /policies': READERS,
  'GET /policies/schema': READERS,
  'POST /policies': ['platform'],
  'GET /policies/:name': READERS,
  'PUT /policies/:name': ['platform'],
  'DELETE /policies/:name': ['platform'],
  'POST /issuers/:name/test': ['platform'],
  'POST /connections/:name/test': ['platform', 'operator'],
  'POST /connections/:name/disable': ['platform', 'operator'],
  'POST /connections/:name/enable': ['platform', 'operator'],
  'POST /declarations/check': ['platform'],
  'POST /authorize': ['agent', 'workload'],
  'GET /changes': [...READERS, 'approver'],
  'GET /changes/:id': [...READERS, 'approver'],
  'POST /changes/:id/approve': ['platform', 'operator', 'approver'],
  'POST /changes/:id/refuse': ['platform', 'operator', 'approver'],
  'POST /oauth/introspect': ['agent', 'workload', 'operator', 'auditor'],
  'POST /oauth/revoke': ['authenticated'],
  'GET /.well-known/jwks.json': ['anyone'],
  'GET /.well-known/oauth-authorization-server': ['anyone'],
  'GET /federation/.well-known/openid-configuration': ['anyone'],
  'GET /federation/jwks.json': ['anyone'],
  'GET /healthz': ['anyone'],
  'GET /readyz': ['anyone'],
  'GET /metrics': ['anyone'],
  'GET /openapi.json': ['anyone'],
  'GET /docs': ['anyone'],
  'GET /docs/:file': ['anyone'],
};

/** Each kind of caller, by the one permission that it has; a person without a role has none. */
const CALLERS = ['agent', 'workload', ...RoleSchema.options, 'person'] as const;
type CallerKind = (typeof CALLERS)[number];

let mayfly: TestBroker;
let app: NestFastifyApplication;
const routes: string[] = [];

beforeAll(async () => {
  mayfly = await startTestBroker({ documents: yamlOf(agentDocument('support-agent')) });
  await mayfly.broker.services.federationKeys.rotateIfDue();
  app = await createHttp(mayfly.broker.services, { api: true, docs: true });
  app
    .getHttpAdapter()
    .getInstance()
    .addHook('onRoute', ({ method, url }) => {
      for (const one of [method].flat()) routes.push(`${one} ${url}`);
    });
  await app.init();
  await app.getHttpAdapter().getInstance().ready();
});

afterAll(async () => {
  await app.close();
  await mayfly.stop();
});

function tokenOf(caller: CallerKind): string {
  if (caller === 'agent') return mayfly.agentToken('support-agent');
  if (caller === 'workload') return mayfly.agentToken('nobody-in-particular');
  return caller === 'person' ? mayfly.issuers.staff.sign({ sub: 'new-here' }) : mayfly.personToken(caller);
}

/** The doors of gateways, where `Authorization` is the token of an agent. */
const DOOR = / \/authorize\/(nginx|envoy)/;

/** Asks a route about nothing that is there. */
async function ask(route: string, token?: string): Promise<{ status: number; type: string }> {
  const [method, path] = route.split(' ') as ['GET' | 'POST', string];
  const { statusCode, body } = await app.inject({
    method,
    url: path.replace(/:(\w+)/g, 'unknown'),
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
  });
  const { type, error } = (statusCode < 400 ? {} : JSON.parse(body)) as { type?: string; error?: string };
  return { status: statusCode, type: type ?? error ?? '' };
}

const forbidden = (route: string) => ({
  status: 403,
  type: route.includes('/oauth/') ? 'unauthorized_client' : 'urn:mayfly:problem:forbidden',
});
/** An administrator is a platform person for every owner. */
const permits = (route: string, caller: CallerKind) =>
  TABLE[route]!.some(
    (one) => ['anyone', 'authenticated', caller].includes(one) || (caller === 'administrator' && one === 'platform'),
  );

describe('the route table', () => {
  it('the route table is the one that this test knows, and each GET has its HEAD', () => {
    const plain = routes.filter((one) => !DOOR.test(one));
    const [heads, others] = [
      plain.filter((one) => one.startsWith('HEAD ')),
      plain.filter((one) => !one.startsWith('HEAD ')),
    ];
    expect(others.toSorted()).toEqual(Object.keys(TABLE).toSorted());
    const gets = Object.keys(TABLE).filter((one) => one.startsWith('GET '));
    expect(heads.toSorted()).toEqual(gets.map((one) => one.replace('GET', 'HEAD')).toSorted());
  });

  it.each(Object.keys(TABLE))('the route %s admits the stated callers, and nobody else', async (route) => {
    for (const caller of CALLERS) {
      const answer = { caller, ...(await ask(route, tokenOf(caller))) };
      if (permits(route, caller)) {
        expect([401, 403]).not.toContain(answer.status);
        expect(answer.status).toBeLessThan(500);
      } else expect(answer).toEqual({ caller, ...forbidden(route) });
    }
  });

  it.each(Object.keys(TABLE))('the route %s asks for an identity, unless anyone may use it', async (route) => {
    const { status, type } = await ask(route);
    if (TABLE[route]!.includes('anyone')) expect(status).toBeLessThan(500);
    else {
      expect(status).toBe(401);
      expect(type).toBe(route.includes('/oauth/') ? 'invalid_client' : 'urn:mayfly:problem:unauthenticated');
    }
  });

  it('the route table guards the HEAD of a route as it guards its GET', async () => {
    const head = async (token?: string) => (await ask('HEAD /audit/entries', token)).status;
    const asNobody = await app.inject({ method: 'HEAD', url: '/audit/entries' });
    expect(asNobody.statusCode).toBe(401);
    await expect(head(tokenOf('auditor'))).resolves.toBe(200);
  });

  it('the doors of gateways admit workloads alone, by the header of the gateway, whatever token the agent has', async () => {
    const doors = ['GET /authorize/nginx', 'GET /authorize/envoy/cases/a', 'DELETE /authorize/envoy/cases/a?b'];
    expect(routes.filter((one) => DOOR.test(one)).length).toBeGreaterThan(doors.length);
    for (const door of doors) {
      const [method, url] = door.split(' ') as ['GET', string];
      const knock = async (caller?: CallerKind) => {
        const gateway = caller === undefined ? {} : { 'x-mayfly-gateway': tokenOf(caller) };
        const headers = { ...gateway, authorization: `Bearer ${tokenOf('agent')}` };
        const { statusCode, body } = await app.inject({ method, url, headers });
        return [statusCode, (JSON.parse(body) as { type: string }).type.split(':').at(-1)];
      };
      expect([door, await knock()]).toEqual([door, [401, 'unauthenticated']]);
      for (const caller of CALLERS) {
        const isWorkload = caller === 'agent' || caller === 'workload';
        expect([door, caller, await knock(caller)]).toEqual([
          door,
          caller,
          [403, isWorkload ? 'policy_denied' : 'forbidden'],
        ]);
      }
    }
  });

  it('the route table has nothing beside it: another address is a 404 for everybody', async () => {
    expect(await ask('GET /admin', tokenOf('platform'))).toEqual({ status: 404, type: 'urn:mayfly:problem:not_found' });
  });
});

describe('an address that is known', () => {
  // A GET of `/templates/lint` reads the template of that name; a PUT of `/policies/schema` is a name that is refused.
  const addresses = [...new Set(Object.keys(TABLE).map((route) => route.split(' ')[1] ?? ''))].filter(
    (address) => !['/templates/lint', '/policies/schema'].includes(address),
  );

  it.each(addresses)('the address %s refuses every other method, and lists its own', async (address) => {
    const taken = Object.keys(TABLE).flatMap((route) => {
      const [method = '', of] = route.split(' ');
      return of === address ? [method, ...(method === 'GET' ? ['HEAD'] : [])] : [];
    });
    const url = address.replace(/:(\w+)/g, 'unknown').replace('*', 'page.js');
    for (const method of (['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const).filter(
      (one) => !taken.includes(one),
    )) {
      const { statusCode, headers, body } = await app.inject({ method, url });
      expect({ method, statusCode, allow: headers.allow }).toEqual({
        method,
        statusCode: 405,
        allow: taken.sort().join(', '),
      });
      expect(JSON.parse(body)).toMatchObject(
        address.startsWith('/oauth/')
          ? { error: 'invalid_request' }
          : { type: 'urn:mayfly:problem:method_not_allowed', instance: expect.stringContaining('req_') },
      );
    }
  });
});

describe('a route that states no permission', () => {
  it('a route that states no permission is refused to everybody, and does not run', async () => {
    let ran = false;
    @Controller('bare')
    class BareController {
      @Get()
      read(): string {
        ran = true;
        return 'something';
      }
    }
    const { verifier, catalog, refusals } = mayfly.broker.services;
    @Module({
      controllers: [BareController],
      providers: [
        { provide: APP_GUARD, useFactory: () => new IdentityGuard(new Reflector(), verifier, catalog, refusals) },
        { provide: APP_FILTER, useClass: ProblemFilter },
      ],
    })
    class BareModule {}
    const bare = await NestFactory.create<NestFastifyApplication>(BareModule, new FastifyAdapter(), { logger: false });
    await bare.init();
    const statuses: number[] = [];
    for (const caller of CALLERS) {
      const headers = { authorization: `Bearer ${tokenOf(caller)}` };
      statuses.push((await bare.inject({ method: 'GET', url: '/bare', headers })).statusCode);
    }
    statuses.push((await bare.inject({ method: 'GET', url: '/bare' })).statusCode);
    await bare.close();
    expect(new Set(statuses)).toEqual(new Set([403]));
    expect(ran).toBe(false);
  });
});
