import { escapeIdentifier, escapeLiteral } from 'pg';
import { findRoles, type FoundRole, type PreparedTransaction } from './looks.js';
import type { Session } from '../session.js';

/**
 * Rolls back a prepared transaction of a lease, as the lease: only its owner or a superuser may, and the role that made
 * the lease role may take its place. The session goes back to its own role.
 */
export async function rollBackPrepared(
  session: Session,
  { gid, owner }: PreparedTransaction,
  serverVersion: number,
): Promise<void> {
  const [role] = (await session.query<FoundRole & Record<string, unknown>>(findRoles([owner]))).rows;
  const name = escapeIdentifier(owner);
  const asMember = serverVersion >= 160_000 ? ' WITH SET TRUE' : '';
  if (typeof role?.maker === 'string') await session.query(`SET ROLE ${escapeIdentifier(role.maker)}`);
  await session.query(`GRANT ${name} TO CURRENT_USER${asMember}`);
  await session.query(`SET ROLE ${name}`);
  // not inside a message of several statements: the server refuses it in a transaction
  await session.query(`ROLLBACK PREPARED ${escapeLiteral(gid)}`);
  await session.query('RESET ROLE');
}
