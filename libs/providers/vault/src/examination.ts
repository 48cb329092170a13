import { failureFrom } from './failures.js';
import { isStatic, textOf } from './probe.js';
import type { Server } from './server.js';
import { isSigningPath } from './vault-path.js';
import type { VaultScope } from './vault.schemas.js';

/** Returns warnings from the server about a scope, for its publisher. Never throws. */
export async function examineScope(server: Server, scope: VaultScope): Promise<readonly string[]> {
  const { path } = scope;
  try {
    const answer = await server.login.ask('read', `sys/internal/ui/mounts/${path}`);
    if (answer.status === 403) return [`vault does not tell which engine \`${path}\` lies in; nothing was looked at`];
    if (answer.status !== 200) return [`which engine \`${path}\` lies in could not be found out`];
    const type = textOf(answer, 'type');
    const mount = textOf(answer, 'path').replace(/\/$/, '');
    if (isStatic(type))
      return [`\`${path}\` lies in a \`${type}\` engine, whose secrets nobody can end; every mint is refused`];
    if (type === 'database') return await examineDatabaseRole(server, mount, scope);
    if (['pki', 'ssh'].includes(type) && !isSigningPath(path))
      return [
        `\`${path}\` is no path at which a \`${type}\` engine issues or signs; a mint that brings no lease is refused`,
      ];
    return [];
  } catch (error) {
    return [`\`${path}\` could not be looked at: ${failureFrom(error).detail}`];
  }
}

/**
 * Warns when the revocation statements of a database role do not end sessions. The broker needs no right to read the
 * role; without it, the warning says so.
 */
async function examineDatabaseRole(
  server: Server,
  mount: string,
  { path, endSessions }: VaultScope,
): Promise<readonly string[]> {
  const [kind, role] = path.slice(mount.length + 1).split('/');
  if (kind !== 'creds' || role === undefined)
    return [`\`${path}\` is no path of dynamic credentials; those of a database engine are \`${mount}/creds/<role>\``];
  if (endSessions !== undefined) return [];
  const answer = await server.login.ask('read', `${mount}/roles/${role}`);
  const remedy = '`endSessions` in the scope has Mayfly end them';
  if (answer.status === 403)
    return [`whether the statements of role \`${role}\` end open sessions could not be read; ${remedy}`];
  if (answer.status === 404) return [`the engine has no role \`${role}\``];
  const statements = JSON.stringify(answer.body.data?.revocation_statements ?? []);
  if (/pg_terminate_backend|KILL|DISCONNECT/i.test(statements)) return [];
  return [`the revocation statements of role \`${role}\` end no session that is open; ${remedy}`];
}
