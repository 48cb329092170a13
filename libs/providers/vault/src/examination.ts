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
    if (answer.status === 403)
      return [`vault does not tell the engine of \`${path}\`, so Mayfly did not examine it; check the broker's policy`];
    if (answer.status !== 200) return [`Mayfly could not find the engine of \`${path}\`; try again`];
    const type = textOf(answer, 'type');
    const mount = textOf(answer, 'path').replace(/\/$/, '');
    if (!path.startsWith(`${mount}/`)) return [`Mayfly could not find the engine of \`${path}\`; try again`];
    if (isStatic(type))
      return [
        `\`${path}\` is in a \`${type}\` engine, whose secrets cannot be revoked, so every mint is refused; use another engine`,
      ];
    if (type === 'database') return await examineDatabaseRole(server, mount, scope);
    if (['pki', 'ssh'].includes(type) && !isSigningPath(path))
      return [
        `a \`${type}\` engine neither issues nor signs at \`${path}\`, so every mint without a lease is refused; correct the path`,
      ];
    return [];
  } catch (error) {
    return [`\`${path}\` could not be examined: ${failureFrom(error).detail}`];
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
    return [`\`${path}\` has no dynamic credentials; use \`${mount}/creds/<role>\` of the database engine`];
  if (endSessions !== undefined) return [];
  const answer = await server.login.ask('read', `${mount}/roles/${role}`);
  const remedy = 'set `endSessions` in the scope, so that Mayfly ends them';
  if (answer.status === 403)
    return [
      `Mayfly could not read the revocation statements of role \`${role}\`, which may leave open sessions alive; ${remedy}`,
    ];
  if (answer.status === 404) return [`the engine has no role \`${role}\``];
  const statements = JSON.stringify(answer.body.data?.revocation_statements ?? []);
  if (/pg_terminate_backend|KILL|DISCONNECT/i.test(statements)) return [];
  return [`the revocation statements of role \`${role}\` do not end open sessions; ${remedy}`];
}
