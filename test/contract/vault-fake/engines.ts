import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { failure, success, type Answer, type Fields } from './answers.js';
import type { DatabaseEngine } from './database-engine.js';
import type { Leases } from './leases.js';
import type { Namespace } from './namespace.js';
import type { Token } from './tokens.js';
import { TransitEngine } from './transit-engine.js';

export interface EngineCall {
  readonly token: Token;
  readonly method: string;
  readonly path: string;
  readonly fields: Fields;
  readonly request: IncomingMessage;
}

/** Passes a request to the secrets engine of its mount. */
export async function askEngine(call: EngineCall, database: DatabaseEngine, leases: Leases): Promise<Answer> {
  const { namespace } = call.token;
  const [mount, type] = [...namespace.engines].find(([name]) => call.path.startsWith(`${name}/`)) ?? [];
  if (mount === undefined || type === undefined)
    return failure(404, `no handler for route "${call.path}". route entry not found.`);
  const [kind, role] = call.path.slice(mount.length + 1).split('/');
  const whole = askWhole(call, type, mount);
  if (whole !== undefined) return whole;
  switch (`${type}/${kind ?? ''}`) {
    case 'database/creds':
      return readUser(call, role ?? '', database, leases);
    case 'pki/issue':
      return sign(call, { private_key: privateKey(), certificate: 'a certificate' });
    case 'ssh/sign':
      return sign(call, { signed_key: 'a signed key' });
    default:
      return failure(404, 'unsupported path');
  }
}

/** Asks the engines that have one answer for a whole mount. */
function askWhole(call: EngineCall, type: string, mount: string): Answer | undefined {
  if (type === 'kv') return readSecret(call);
  if (type !== 'transit') return undefined;
  return transitOf(call.token.namespace, mount).answer(call.method, call.path.slice(mount.length + 1), call.fields);
}

async function readUser(call: EngineCall, name: string, database: DatabaseEngine, leases: Leases): Promise<Answer> {
  const { token, path, request } = call;
  const role = token.namespace.databaseRoles.get(name);
  const url = token.namespace.databases.get(role?.dbName ?? '');
  if (role === undefined || url === undefined) return failure(400, `unknown role: ${name}`);
  const expiresAt = Date.now() + role.defaultSeconds * 1000;
  let user;
  try {
    user = await database.create(url, name, role, token.displayName, expiresAt);
  } catch (error) {
    return failure(500, `1 error occurred:\n\t* ${(error as Error).message}\n\n`);
  }
  // Measured at the server: all work uses the request's context, so a caller that gives up leaves a user without lease.
  if (request.socket.destroyed) return failure(500, 'failed to persist lease index entry: context canceled');
  const { maxSeconds } = role;
  const lease = leases.register({
    path,
    token,
    expiresAt,
    maxSeconds,
    end: () => database.drop(url, role, user),
    stretch: (until) => database.stretch(url, user, until),
  });
  return success({ lease_id: lease.id, renewable: true, lease_duration: role.defaultSeconds, data: { ...user } });
}

function transitOf({ transit }: Namespace, mount: string): TransitEngine {
  const engine = transit.get(mount) ?? new TransitEngine();
  transit.set(mount, engine);
  return engine;
}

/** Reads a static secret: no lease, and the same for every caller. */
function readSecret({ token, path }: EngineCall): Answer {
  const data = token.namespace.secrets.get(path);
  return data === undefined ? failure(404) : success({ data: { data, metadata: { version: 1 } } });
}

/** Returns a text in the form of a private key. */
function privateKey(): string {
  return `-----BEGIN PRIVATE KEY-----\n${randomBytes(48).toString('base64')}\n-----END PRIVATE KEY-----`;
}

/** Signs; the server stores nothing of it. */
function sign({ fields }: EngineCall, data: Fields): Answer {
  const seconds = Number(String(fields.ttl).replace(/s$/, ''));
  if (!Number.isFinite(seconds)) return failure(400, 'no ttl');
  return success({ data: { ...data, serial_number: '01', expiration: Math.floor(Date.now() / 1000) + seconds } });
}
