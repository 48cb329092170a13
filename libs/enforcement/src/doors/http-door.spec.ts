import { describe, expect, it } from '@jest/globals';
import { type Connection, ProviderRegistry } from '@mayfly/credentials';
import type { Principal } from '@mayfly/identity';
import type { Operation, OperationAnswer } from '../operation.js';
import { HttpDoor } from './http-door.js';

const caller = { kind: 'workload' } as Principal;
const ALLOWED: OperationAnswer = { decision: true, decisionId: 'dec_1' };

/** A door over one connection that is its own place, and the operations that it asked about. */
function doorOf(spec: Partial<Connection['spec']> = {}) {
  const routes = [{ operation: 'cases.read', methods: ['GET'] as const, path: '/cases/{case}', query: ['expand'] }];
  const connection = {
    name: 'cases',
    spec: {
      provider: 'vault',
      owner: 'support',
      config: {},
      routes: routes.map((one) => ({ ...one, methods: ['GET' as const] })),
      ...spec,
    },
  } satisfies Connection;
  const asked: Operation[] = [];
  const refused: (readonly [Operation, string])[] = [];
  const operations = {
    authorize: async (_caller: Principal, operation: Operation) => {
      asked.push(operation);
      return ALLOWED;
    },
    refuse: async (_caller: Principal, operation: Operation, detail: string) => {
      refused.push([operation, detail]);
      return { ...ALLOWED, decision: false };
    },
  };
  const door = new HttpDoor({ connections: [connection] }, new ProviderRegistry([]), operations);
  const ask = (method: string, target: string, more: { connection?: string; requestId?: string } = {}) =>
    door.ask(caller, { connection: 'cases', token: 'mft_1', method, target, ...more });
  return { ask, asked, refused };
}

describe('a door for HTTP gateways', () => {
  it('a door for HTTP gateways asks about the operation of the route, below the connection, without the query', async () => {
    const { ask, asked } = doorOf();
    expect(await ask('GET', '/cases/17?expand=notes')).toEqual(ALLOWED);
    expect(asked).toEqual([
      {
        token: 'mft_1',
        operation: 'cases.read',
        target: 'cases/cases/17',
        amounts: expect.objectContaining({ calls: 1 }),
      },
    ]);
  });

  it.each([
    ['a path without a route', 'GET', '/admin', 'cases/admin'],
    ['another method', 'POST', '/cases/17', 'cases/cases/17'],
    ['a path that servers read in different ways', 'GET', '/cases/../admin', 'cases'],
    ['a query that the route does not list', 'GET', '/cases/17?all=1', 'cases/cases/17'],
  ])('a door for HTTP gateways refuses %s, and takes nothing', async (_name, method, target, place) => {
    const { ask, asked, refused } = doorOf();
    expect(await ask(method, target)).toMatchObject({ decision: false });
    expect(asked).toEqual([]);
    expect(refused).toMatchObject([[{ token: 'mft_1', operation: 'unrouted', target: place }, expect.any(String)]]);
  });

  it('a door for HTTP gateways refuses everything at a connection without routes, and at one that nobody declared', async () => {
    const bare = doorOf({ routes: undefined });
    expect(await bare.ask('GET', '/cases/17')).toMatchObject({ decision: false });
    const unknown = doorOf();
    expect(await unknown.ask('GET', '/cases/17', { connection: 'other' })).toMatchObject({ decision: false });
    expect([...bare.asked, ...unknown.asked]).toEqual([]);
  });

  it('a door for HTTP gateways takes the same id of a request for the same use only with the same method and target', async () => {
    const { ask, asked } = doorOf();
    for (const target of ['/cases/17', '/cases/17', '/cases/18', '/cases/17?expand=1'])
      await ask('GET', target, { requestId: 'one' });
    const ids = asked.map(({ requestId }) => requestId);
    expect(ids[0]).toBe(ids[1]);
    expect(new Set(ids).size).toBe(3);
  });

  it('a door for HTTP gateways names the target without a path that is too long to be recorded', async () => {
    const { ask, asked } = doorOf();
    await ask('GET', `/cases/${'a'.repeat(600)}`);
    expect(asked).toMatchObject([{ operation: 'cases.read', target: 'cases' }]);
  });
});
