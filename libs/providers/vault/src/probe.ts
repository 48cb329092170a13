import type { ProbeCheck, ProbeReport } from '@mayfly/credentials';
import { succeeded } from './broker-login.js';
import { failureFrom, failureOf, VaultFailure } from './failures.js';
import type { Server } from './server.js';
import type { Envelope, VaultAnswer } from './vault-client.js';
import type { VaultConfig } from './vault.schemas.js';

type Capability = 'create' | 'update' | 'read' | 'list' | 'sudo';

interface Right {
  readonly path: string;
  readonly needs: readonly Capability[];
  /** for an optional right: the consequence of its absence */
  readonly optional?: string;
}

/**
 * Returns the broker's rights in docs/connect-vault.md, without those on the paths of engines, which only scopes know.
 */
function rightsOf({ tokenRole, engines }: VaultConfig): readonly Right[] {
  const lists = (engines ?? []).map(({ mount }) => `sys/leases/lookup/${mount}/creds/probe`);
  return [
    { path: `auth/token/create/${tokenRole}`, needs: ['update'] },
    { path: 'auth/token/lookup-accessor', needs: ['update'] },
    { path: 'auth/token/renew-accessor', needs: ['update'] },
    { path: 'auth/token/revoke-accessor', needs: ['update'] },
    { path: 'sys/leases/lookup', needs: ['update'] },
    { path: 'sys/leases/renew', needs: ['update'] },
    { path: 'sys/leases/revoke', needs: ['update'] },
    { path: 'sys/policies/acl/mayfly-probe', needs: ['read'] },
    {
      path: 'sys/policies/acl/mayfly-probe',
      needs: ['create', 'update'],
      optional: 'another process has to write the policies of leases',
    },
    {
      path: 'auth/token/accessors',
      needs: ['list', 'sudo'],
      optional: 'Mayfly cannot find tokens that it made and that its database does not know',
    },
    ...lists.map((path) => ({
      path,
      needs: ['list', 'sudo'] as const,
      optional: 'Mayfly cannot prove that a mint without an answer left nothing',
    })),
  ];
}

/** Tests a connection. Makes nothing at the server but the broker's login. Never throws. */
export async function probeServer(server: Server, config: VaultConfig): Promise<ProbeReport> {
  const health = await attempt('reach the server', () => healthOf(server));
  const login = await attempt('log in', () => server.login.call('read', 'auth/token/lookup-self'));
  const isLoggedIn = login.check.outcome === 'ok';
  const skipped = (name: string): ProbeCheck => ({ name, outcome: 'skipped', detail: 'the login failed' });
  const roleName = `token role ${config.tokenRole}`;
  const role = isLoggedIn
    ? (await attempt(roleName, () => roleFault(server, config.tokenRole))).check
    : skipped(roleName);
  const rights = isLoggedIn ? await rightChecks(server, config) : [skipped('rights')];
  const engines = isLoggedIn
    ? await Promise.all((config.engines ?? []).map(({ mount }) => engineCheck(server, mount)))
    : [];
  const age = server.login.ageSeconds;
  return {
    checks: [health.check, login.check, role, ...rights, ...engines],
    ...(server.clock.reading === undefined ? {} : { clockOffsetSeconds: server.clock.reading.offsetSeconds }),
    ...(age === undefined ? {} : { loginAgeSeconds: age }),
  };
}

async function attempt<T extends { readonly detail?: string } | object>(
  name: string,
  call: () => Promise<T>,
): Promise<{ readonly check: ProbeCheck; readonly value?: T }> {
  try {
    const value = await call();
    const detail = 'detail' in value && typeof value.detail === 'string' ? { detail: value.detail } : {};
    return { check: { name, outcome: 'ok', ...detail }, value };
  } catch (error) {
    const failure = failureFrom(error);
    const outcome = failure.reason === 'permission-denied' ? 'missing' : 'failed';
    return { check: { name, outcome, detail: failure.detail } };
  }
}

/** Reads the server's health. A standby and a sealed server answer with statuses of failure (429, 503 …). */
async function healthOf(server: Server): Promise<{ readonly detail: string }> {
  const answer = await server.clientFor(undefined).call('read', 'sys/health');
  const { sealed, initialized, standby, version } = answer.body as Record<string, unknown>;
  if (sealed === true) throw new VaultFailure('sealed');
  if (initialized !== true)
    throw new VaultFailure('bad-answer', { detail: 'vault is not initialized; initialize it, or check `address`' });
  const words = VERSION.test(String(version)) ? `version ${String(version)}` : 'version unknown';
  return { detail: standby === true ? `${words}, a standby that forwards requests` : words };
}

async function roleFault(server: Server, tokenRole: string): Promise<{ readonly detail?: string }> {
  const answer = await server.login.ask('read', `auth/token/roles/${tokenRole}`);
  if (answer.status === 403)
    throw new VaultFailure('permission-denied', {
      detail: "vault does not let Mayfly read the token role, so it is unchecked; allow `read` in the broker's policy",
    });
  if (answer.status === 404)
    throw new VaultFailure('not-found', { detail: 'vault does not have the token role; create it' });
  const role = succeeded(answer).data ?? {};
  const faults = ROLE_FAULTS.flatMap(([isWrong, fault]) => (isWrong(role) ? [fault] : []));
  if (faults.length > 0) throw new VaultFailure('refused', { detail: `${faults.join('; ')}; correct the token role` });
  return {};
}

/** A version in a few characters, such as `1.15.0+ent.hsm`. */
const VERSION = /^v?\d{1,3}(\.\d{1,4}){1,3}([+-][a-z0-9.-]{1,15})?$/;

type TokenRole = NonNullable<Envelope['data']>;

const ROLE_FAULTS: readonly (readonly [(role: TokenRole) => boolean, string])[] = [
  [({ orphan }) => orphan !== true, '`orphan` is not true: leases would end with the broker’s login'],
  [
    (role) => JSON.stringify(role.allowed_policies_glob) !== '["mayfly-*"]',
    '`allowed_policies_glob` is not `mayfly-*` alone',
  ],
  [({ allowed_policies: named }) => Array.isArray(named) && named.length > 0, '`allowed_policies` is not empty'],
  [({ renewable }) => renewable !== true, '`renewable` is not true: leases cannot be renewed'],
  [
    ({ token_period: period }) => typeof period === 'number' && period > 0,
    '`token_period` makes tokens that never end',
  ],
  [
    ({ token_type: type }) => type === 'batch' || type === 'default-batch',
    '`token_type` makes tokens that cannot be revoked',
  ],
];

async function rightChecks(server: Server, config: VaultConfig): Promise<readonly ProbeCheck[]> {
  const rights = rightsOf(config);
  const asked = await attempt('rights', () =>
    server.login.call('write', 'sys/capabilities-self', { paths: [...new Set(rights.map(({ path }) => path))] }),
  );
  const told = asked.value?.data;
  if (!told) return [asked.check];
  return rights.map(({ path, needs, optional }) => {
    const held = new Set(Array.isArray(told[path]) ? told[path].map(String) : []);
    const missing = held.has('root') ? [] : needs.filter((need) => !held.has(need));
    const name = `${needs.join(' and ')} on ${path.replace(/probe$/, '*')}`;
    if (missing.length === 0) return { name, outcome: 'ok' as const };
    return {
      name,
      outcome: 'missing' as const,
      ...(optional === undefined ? {} : { detail: `optional; without it, ${optional}` }),
    };
  });
}

async function engineCheck(server: Server, mount: string): Promise<ProbeCheck> {
  const name = `engine at ${mount}`;
  const answer = await server.login.ask('read', `sys/internal/ui/mounts/${mount}`).catch(failureFrom);
  if (answer instanceof VaultFailure) return { name, outcome: 'failed', detail: answer.detail };
  if (answer.status === 403)
    return {
      name,
      outcome: 'missing',
      detail: "vault does not have the engine, or the broker's policy names no path in it",
    };
  if (answer.status !== 200) return { name, outcome: 'failed', detail: failureOf(answer).detail };
  const type = textOf(answer, 'type');
  if (isStatic(type))
    return { name, outcome: 'failed', detail: `\`${type}\` keeps static secrets, which cannot be revoked` };
  return { name, outcome: 'ok', detail: DYNAMIC.includes(type) ? `\`${type}\`` : 'another dynamic engine' };
}

/** The dynamic engines that Vault and OpenBao ship; a server may say any other word as a type. */
const DYNAMIC = [
  ...['ad', 'alicloud', 'aws', 'azure', 'consul', 'database', 'gcp', 'kubernetes', 'ldap', 'mongodbatlas', 'nomad'],
  ...['openldap', 'pki', 'rabbitmq', 'ssh', 'terraform'],
];

/** Returns a member of an answer's data that is text, or an empty text. */
export function textOf({ body }: VaultAnswer, member: string): string {
  const value = body.data?.[member];
  return typeof value === 'string' ? value : '';
}

/** Returns true for engines that give the same secret to everybody, or no secret at all. */
export function isStatic(type: string): boolean {
  return ['kv', 'generic', 'cubbyhole', 'system', 'identity', 'token', 'transit', 'totp'].includes(type);
}
