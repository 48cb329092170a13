import type { MintOrder } from '@mayfly/credentials';
import { Problem } from '@mayfly/kernel';
import { escapeIdentifier } from 'pg';
import { capacityOf, ConnectionCapacity } from './connection-capacity.js';
import { codeOf, UNDEFINED_OBJECT } from './failures.js';
import { createStatement, creatorOf } from './lease-role.js';
import type { PostgresConfig, PostgresHandle, PostgresScope } from './postgres.schemas.js';
import type { Privilege } from './scope-privileges.js';
import { ensureScopeRole } from './scope-roles.js';
import type { ServerFacts } from './server-facts.js';
import type { Session } from './session.js';
import type { Target } from './target.js';

/** One lease role to create. */
export interface LeaseRoleOrder {
  readonly order: MintOrder<PostgresConfig, PostgresScope>;
  readonly handle: PostgresHandle;
  readonly wanted: readonly Privilege[];
  readonly verifier: string;
}

/** Creates lease roles, each in one message, within the server's connection capacity. */
export class LeaseRoleMinter {
  private readonly capacities = new Map<string, ConnectionCapacity>();

  async create(target: Target, session: Session, lease: LeaseRoleOrder, facts: ServerFacts): Promise<void> {
    const { config } = lease.order;
    const capacity = capacityOf(config, facts);
    const made = { isDone: false };
    try {
      await this.capacityAt(facts.identity).within(session, config.maxConnections, capacity, async (counting) => {
        await makeRole(target, session, lease, facts, counting);
        made.isDone = true;
      });
    } catch (error) {
      // concurrent mints over the capacity drop their roles too, so that the remaining roles fit
      if (made.isDone && error instanceof Problem) await session.query(undo(lease.handle.role, facts));
      throw error;
    }
  }

  /** Never evicts an entry: a connection leads to few servers, and an entry takes a few bytes. */
  private capacityAt(identity: string): ConnectionCapacity {
    const server = identity.replace(/\/.*$/, '');
    const known = this.capacities.get(server) ?? new ConnectionCapacity();
    this.capacities.set(server, known);
    return known;
  }
}

async function makeRole(
  target: Target,
  session: Session,
  { order, handle: { role, scopeRole }, wanted, verifier }: LeaseRoleOrder,
  facts: ServerFacts,
  capacity: number | undefined,
): Promise<void> {
  const statement = createStatement({
    role,
    scopeRole,
    verifier,
    maxConnections: order.config.maxConnections,
    expiresAt: order.expiresAt,
    issuedAt: order.issuedAt,
    mintBy: order.mintBy,
    facts,
    ...(capacity === undefined ? {} : { capacity }),
  });
  await ensureScopeRole(target, session, scopeRole, wanted);
  try {
    await session.query(statement);
  } catch (error) {
    if (codeOf(error) !== UNDEFINED_OBJECT) throw error;
    // the scope role was dropped; the server rolled back the whole message, so a retry is still one effect
    target.verifiedScopes.delete(scopeRole);
    await ensureScopeRole(target, session, scopeRole, wanted);
    await session.query(statement);
  }
}

function undo(role: string, { creators }: ServerFacts): string {
  const maker = creatorOf(role, creators);
  const drop = `DROP ROLE ${escapeIdentifier(role)}`;
  return maker === undefined ? drop : `SET LOCAL ROLE ${escapeIdentifier(maker)};\n${drop}`;
}
