import type {
  Ancestor,
  Delegated,
  Delegation,
  DelegationRule,
  DelegationStore,
  NewDelegation,
  TreeNode,
} from '@mayfly/issuance';
import { type JsonObject, present, type TaskId } from '@mayfly/kernel';
import type { ClientBase, Pool } from 'pg';
import { insertAudit } from '../audit/audit-rows.js';
import { databaseProblem, databaseUnread } from '../database/database-problem.js';
import { inTransaction } from '../database/transaction.js';

interface DelegationRow {
  readonly id: TaskId;
  readonly parent_id: TaskId;
  readonly root_id: TaskId;
  readonly depth: number;
  readonly agent_name: string;
  readonly template_name: string;
  readonly parameters: JsonObject;
  readonly purpose: string;
  readonly ttl_seconds: number | null;
  readonly uses: Delegation['uses'] | null;
  readonly created_at: Date;
  readonly accept_by: Date;
  readonly accepted_at: Date | null;
  readonly fingerprint: string;
}

const ANCESTORS = `
WITH RECURSIVE line AS (
  SELECT t.id, t.parent_id, t.agent_name, t.template_name, t.template_version, 0 AS above FROM public.task t WHERE t.id = $1
  UNION ALL
  SELECT p.id, p.parent_id, p.agent_name, p.template_name, p.template_version, line.above + 1
  FROM line JOIN public.task p ON p.id = line.parent_id
)
SELECT line.agent_name AS agent, line.template_name AS template, v.spec->'delegation' AS rule
FROM line LEFT JOIN public.template_version v ON v.name = line.template_name AND v.version = line.template_version
ORDER BY line.above`;

/** The children of a task that wait to be taken up or run. */
const LIVING_CHILDREN = `
SELECT (SELECT count(*) FROM public.delegation d WHERE d.parent_id = $1 AND d.accepted_at IS NULL AND d.accept_by > now())
     + (SELECT count(*) FROM public.task c WHERE c.parent_id = $1 AND c.state = 'active') AS living`;

const TREE = `
SELECT t.id, t.parent_id, t.depth, t.agent_name, t.template_name, t.state, t.end_cause, t.expires_at, NULL::timestamptz AS accept_by
FROM public.task t WHERE t.id = $1 OR t.root_id = $1
UNION ALL
SELECT d.id, d.parent_id, d.depth, d.agent_name, d.template_name,
  CASE WHEN d.accept_by > now() AND p.state = 'active' AND p.end_cause IS NULL THEN 'pending_acceptance' ELSE 'lapsed' END,
  NULL, NULL, d.accept_by
FROM public.delegation d JOIN public.task p ON p.id = d.parent_id WHERE d.root_id = $1 AND d.accepted_at IS NULL
ORDER BY depth, id LIMIT $2`;

/** The store of delegations on PostgreSQL. */
export class PgDelegationStore implements DelegationStore {
  constructor(private readonly pool: Pool) {}

  async ancestors(taskId: TaskId): Promise<readonly Ancestor[]> {
    const { rows } = await this.pool
      .query<{ agent: string; template: string; rule: DelegationRule | null }>(ANCESTORS, [taskId])
      .catch(databaseUnread);
    return rows.map(({ agent, template, rule }) => ({ agent, template, ...present({ rule }) }));
  }

  async delegate(request: NewDelegation): Promise<Delegated> {
    return inTransaction(this.pool, (client) => this.delegateIn(client, request)).catch(databaseProblem);
  }

  async find(id: TaskId): Promise<Delegation | undefined> {
    const { rows } = await this.pool
      .query<DelegationRow>('SELECT * FROM public.delegation WHERE id = $1', [id])
      .catch(databaseUnread);
    return rows[0] && delegationOf(rows[0]);
  }

  async tree(rootId: TaskId, limit: number): Promise<readonly TreeNode[]> {
    const { rows } = await this.pool.query<TreeRow>(TREE, [rootId, limit]).catch(databaseUnread);
    return rows.map(nodeOf);
  }

  private async delegateIn(client: ClientBase, request: NewDelegation): Promise<Delegated> {
    const { delegation, maxChildren, idempotencyKey, fingerprint, entry } = request;
    // The lock makes every delegation of one parent wait for the one before it.
    const parent = await client.query(
      `SELECT FROM public.task WHERE id = $1 AND state = 'active' AND end_cause IS NULL AND expires_at > now() FOR UPDATE`,
      [delegation.parentId],
    );
    const known = await knownDelegation(client, delegation.parentId, idempotencyKey);
    if (known !== undefined) return known;
    if (parent.rowCount !== 1) return { verdict: 'parent' };
    const { rows } = await client.query<{ living: string }>(LIVING_CHILDREN, [delegation.parentId]);
    if (Number(rows[0]?.living ?? 0) >= maxChildren) return { verdict: 'children' };
    await client.query(
      `INSERT INTO public.delegation (id, parent_id, root_id, depth, agent_name, template_name, parameters, purpose, ttl_seconds,
         uses, created_at, accept_by, idempotency_key, fingerprint) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
      [
        ...[delegation.id, delegation.parentId, delegation.rootId, delegation.depth, delegation.agent],
        ...[
          delegation.template,
          JSON.stringify(delegation.parameters),
          delegation.purpose,
          delegation.ttlSeconds ?? null,
        ],
        delegation.uses === undefined ? null : JSON.stringify(delegation.uses),
        ...[delegation.createdAt, delegation.acceptBy, idempotencyKey ?? null, fingerprint],
      ],
    );
    await insertAudit(client, [entry]);
    return { verdict: 'delegated' };
  }
}

async function knownDelegation(
  client: ClientBase,
  parentId: TaskId,
  key: string | undefined,
): Promise<Delegated | undefined> {
  if (key === undefined) return undefined;
  const { rows } = await client.query<DelegationRow>(
    'SELECT * FROM public.delegation WHERE parent_id = $1 AND idempotency_key = $2',
    [parentId, key],
  );
  const [row] = rows;
  return row && { verdict: 'known', delegation: delegationOf(row), fingerprint: row.fingerprint };
}

function delegationOf(row: DelegationRow): Delegation {
  return {
    ...{ id: row.id, parentId: row.parent_id, rootId: row.root_id, depth: row.depth, agent: row.agent_name },
    ...{ template: row.template_name, parameters: row.parameters, purpose: row.purpose },
    ...{ createdAt: row.created_at, acceptBy: row.accept_by },
    ...present({ ttlSeconds: row.ttl_seconds, uses: row.uses, acceptedAt: row.accepted_at }),
  };
}

interface TreeRow {
  readonly id: TaskId;
  readonly parent_id: TaskId | null;
  readonly depth: number;
  readonly agent_name: string;
  readonly template_name: string;
  readonly state: TreeNode['state'];
  readonly end_cause: string | null;
  readonly expires_at: Date | null;
  readonly accept_by: Date | null;
}

function nodeOf(row: TreeRow): TreeNode {
  const { id, depth, agent_name: agent, template_name: template, state } = row;
  const optional = {
    parentId: row.parent_id,
    endCause: row.end_cause,
    expiresAt: row.expires_at,
    acceptBy: row.accept_by,
  };
  return { ...{ id, depth, agent, template, state }, ...present(optional) };
}
