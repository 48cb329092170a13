import { escapeIdentifier, escapeLiteral } from 'pg';
import { Problem } from '@mayfly/kernel';
import { codeOf, explain, MAYFLY_RETRIES, UNDEFINED_OBJECT } from '../failures.js';
import { callForRole } from '../owner-functions.js';
import { makersIn, type ServerFacts } from '../server-facts.js';
import type { Session } from '../session.js';
import { DatabaseTarget, type TargetAddress } from '../target.js';
import { findRoles, type PreparedTransaction, type RoleRow } from './looks.js';
import type { Watch } from './watch.js';

/** Maximum number of characters shown of a transaction's name, which an agent chose. */
const SHOWN_CHARACTERS = 64;

const OTHER_SERVER = '`url` of the connection leads to another server than before; set it back';

/** Rolls back prepared transactions of leases in any database of the server. */
export class PreparedEnding {
  constructor(
    private readonly address: TargetAddress,
    private readonly watch: Pick<Watch, 'facts'>,
    private readonly grouped: DatabaseTarget,
  ) {}

  /**
   * Rolls back one prepared transaction. Throws `provider_unavailable`, which names the database and the transaction.
   */
  async rollBack(one: PreparedTransaction, signal: AbortSignal): Promise<void> {
    try {
      const facts = await this.watch.facts(signal);
      const { database, identity } = facts;
      if (facts.functions) await this.grouped.use(signal, (session) => joinByFunction(session, one, facts));
      if (one.database === database) {
        await this.grouped.use(signal, (session) => rollBackPrepared(session, one, facts));
        return;
      }
      await this.inDatabase(one.database, signal, async (target, session) => {
        const found = await target.facts(session);
        if (serverOf(found.identity) !== serverOf(identity)) throw new Problem('provider_unavailable', OTHER_SERVER);
        await rollBackPrepared(session, one, facts);
      });
    } catch (error) {
      const gid = one.gid.replace(/[^\w.:-]/g, '?').slice(0, SHOWN_CHARACTERS);
      const what = `the prepared transaction \`${gid}\` in database \`${one.database}\``;
      throw new Problem('provider_unavailable', `${what} cannot be rolled back: ${explain(error, MAYFLY_RETRIES)}`);
    }
  }

  /**
   * Runs `work` in the transaction's database, the only one in which ROLLBACK PREPARED works. Uses the same login,
   * which may connect wherever leases may.
   */
  private async inDatabase(
    database: string,
    signal: AbortSignal,
    work: (target: DatabaseTarget, session: Session) => Promise<void>,
  ): Promise<void> {
    const url = new URL(this.address.url);
    url.pathname = `/${encodeURIComponent(database)}`;
    const target = new DatabaseTarget({ ...this.address, url: url.href }, 1);
    try {
      await target.use(signal, (session) => work(target, session));
    } finally {
      await target.close();
    }
  }
}

function serverOf(identity: string): string {
  return identity.replace(/\/.*$/, '');
}

/** Joins the transaction's owner by the functions, which exist in the connection's database only. */
async function joinByFunction(session: Session, { owner }: PreparedTransaction, facts: ServerFacts): Promise<void> {
  const role = await ownerOf(session, owner, facts);
  if (role?.maker === null) await session.query(callForRole('join_lease', owner));
}

/**
 * Rolls back as the role that prepared the transaction: only that role or a superuser may, and the role's maker can
 * become a member of it. Resets the session's role afterwards. Before PostgreSQL 16 it also revokes the membership in a
 * scope role, because a scope role outlasts the lease.
 */
async function rollBackPrepared(
  session: Session,
  { gid, owner }: PreparedTransaction,
  facts: ServerFacts,
): Promise<void> {
  const name = escapeIdentifier(owner);
  await joinAsMaker(session, owner, facts);
  await session.query(`SET ROLE ${name}`);
  try {
    // sent alone: the server refuses it inside a transaction
    await session.query(`ROLLBACK PREPARED ${escapeLiteral(gid)}`);
  } catch (error) {
    // another process ended it
    if (codeOf(error) !== UNDEFINED_OBJECT) throw error;
  }
  await session.query('RESET ROLE');
  if (facts.version < 160_000 && owner.startsWith('mayfly_scope_'))
    await session.query(`REVOKE ${name} FROM CURRENT_USER`);
}

/** Joins the transaction's owner as its maker does, unless only a function can join it. */
async function joinAsMaker(session: Session, owner: string, facts: ServerFacts): Promise<void> {
  const role = await ownerOf(session, owner, facts);
  if (role?.maker === null && facts.functions) return;
  const options = facts.version >= 160_000 ? ' WITH SET TRUE' : '';
  if (typeof role?.maker === 'string') await session.query(`SET ROLE ${escapeIdentifier(role.maker)}`);
  await session.query(`GRANT ${escapeIdentifier(owner)} TO CURRENT_USER${options}`);
}

async function ownerOf(session: Session, owner: string, facts: ServerFacts): Promise<RoleRow | undefined> {
  return (await session.query<RoleRow>(findRoles([owner], makersIn(facts)))).rows[0];
}
