import { describe, expect, it } from '@jest/globals';
import type { Connection } from '@mayfly/credentials';
import { introspectableProviders } from '@mayfly/testing';
import { ResourceServers } from './resource-servers.js';

const CASES = 'https://cases.example';

function connection(provider: string, config: Connection['spec']['config']): Connection {
  return { name: 'cases', spec: { provider, owner: 'crm-platform', config } };
}

const providers = introspectableProviders();

const declared = {
  connections: [
    connection('signed-token', { audience: CASES, resourceServers: [{ issuer: 'ci', subject: 'cases-api' }] }),
    connection('signed-token', {
      audience: 'https://mail.example',
      resourceServers: [{ issuer: 'ci', subject: 'mail' }],
    }),
  ],
};

describe('resource servers', () => {
  it('resource servers serve the audience that a connection declares for them', () => {
    expect(new ResourceServers(declared, providers).serves({ acceptedBy: ['ci'], subject: 'cases-api' }, CASES)).toBe(
      true,
    );
  });

  it.each([
    ['of another audience', 'ci', 'mail'],
    ['with the same subject at another issuer', 'staff', 'cases-api'],
    ['whose subject only begins alike', 'ci', 'cases-api-2'],
    ['that nobody declared', 'ci', 'stranger'],
  ])('a workload %s does not serve the audience', (_, issuer, subject) => {
    expect(new ResourceServers(declared, providers).serves({ acceptedBy: [issuer], subject }, CASES)).toBe(false);
  });

  it.each([
    ['of a provider that is not there', connection('gone', declared.connections[0]!.spec.config)],
    ['of another provider', connection('dummy', declared.connections[0]!.spec.config)],
    ['that does not fit its schema', connection('signed-token', { ...declared.connections[0]!.spec.config, extra: 1 })],
  ])('resource servers do not come from a connection %s', (_, only) => {
    const servers = new ResourceServers({ connections: [only] }, providers);
    expect(servers.serves({ acceptedBy: ['ci'], subject: 'cases-api' }, CASES)).toBe(false);
  });

  it('resource servers change with the declared state', () => {
    const state = { connections: declared.connections };
    const servers = new ResourceServers(state, providers);
    expect(servers.serves({ acceptedBy: ['ci'], subject: 'cases-api' }, CASES)).toBe(true);
    state.connections = [];
    expect(servers.serves({ acceptedBy: ['ci'], subject: 'cases-api' }, CASES)).toBe(false);
  });

  it('gateways guard the connection that names them, and no other', () => {
    const gateways = [{ issuer: 'ci', subject: 'crm-gateway' }];
    const one = { name: 'crm', spec: { provider: 'dummy', owner: 'crm', config: {}, gateways } };
    const servers = new ResourceServers(
      { connections: [one, { ...connection('dummy', {}), name: 'mail' }] },
      providers,
    );
    const gateway = { acceptedBy: ['ci'], subject: 'crm-gateway' };
    expect(servers.guards(gateway, 'crm')).toBe(true);
    expect(servers.guards(gateway, 'mail')).toBe(false);
    expect(servers.guards({ ...gateway, acceptedBy: ['staff'] }, 'crm')).toBe(false);
    expect(servers.serves(gateway, 'crm')).toBe(false);
  });
});
