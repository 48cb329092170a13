import { auditEntry, type AuditEntryType } from '@mayfly/audit';
import type { RegisteredAgent } from '@mayfly/declarations';
import { type Clock, Problem } from '@mayfly/kernel';
import type { TaskEndCause } from '@mayfly/tasks';
import type { ClientBase, Pool } from 'pg';
import type { PgClosingStore } from '../tasks/closing.store.js';
import { databaseProblem } from '../database/database-problem.js';
import { type DeclaredRecord, existing, findRecord } from './declaration-rows.js';
import type { Declarer } from './declaration-writes.js';
import { insertAudit } from '../audit/audit-rows.js';
import { inTransaction } from '../database/transaction.js';

type AgentState = RegisteredAgent['state'];

export type LifecycleStep = 'activate' | 'suspend' | 'retire';

interface StepRule {
  readonly from: readonly AgentState[];
  readonly to: AgentState;
  readonly entry: AuditEntryType;
  /** the end cause of the agent's tasks, when the step ends them */
  readonly ends?: TaskEndCause;
}

/** registered → active ⇄ suspended; each of them → retired, which is final. */
const STEPS: Readonly<Record<LifecycleStep, StepRule>> = {
  activate: { from: ['registered', 'suspended'], to: 'active', entry: 'agent.activated' },
  suspend: { from: ['active'], to: 'suspended', entry: 'agent.suspended', ends: 'agent_suspended' },
  retire: {
    from: ['registered', 'active', 'suspended'],
    to: 'retired',
    entry: 'agent.retired',
    ends: 'agent_retired',
  },
};

/** Changes the state of agents. */
export class AgentLifecycleStore {
  constructor(
    private readonly pool: Pool,
    private readonly clock: Clock,
    private readonly closing: Pick<PgClosingStore, 'endTasksOfAgent'>,
  ) {}

  /**
   * Takes one step and ends the agent's tasks in the same transaction. Does nothing when the agent is already in the
   * target state. Waits for requests that are being granted, since they hold the agent's row; their leases are
   * `revoking` when this resolves. Throws `not_found`, and `conflict` for a step that the agent's state does not allow.
   */
  take(step: LifecycleStep, name: string, by: Declarer): Promise<DeclaredRecord> {
    return inTransaction(this.pool, async (client) => {
      const record = existing(await findRecord(client, 'Agent', name, 'FOR UPDATE'), 'Agent', name);
      const { from, to } = STEPS[step];
      const state = record.agent?.state ?? 'retired';
      if (state === to) return record;
      if (!from.includes(state)) throw new Problem('conflict', `agent \`${name}\` is ${state}; it cannot become ${to}`);
      await this.move(client, record, STEPS[step], by);
      return existing(await findRecord(client, 'Agent', name), 'Agent', name);
    }).catch(databaseProblem);
  }

  private async move(client: ClientBase, { name, agent }: DeclaredRecord, rule: StepRule, by: Declarer): Promise<void> {
    await client.query(
      `UPDATE public.agent SET state = $2, revision = revision + 1, updated_at = now(), updated_by = $3 WHERE name = $1`,
      [name, rule.to, by.name],
    );
    const facts = { from: agent?.state, to: rule.to };
    await insertAudit(client, [auditEntry(rule.entry, this.clock.now(), by.actor, { agent: name }, facts)]);
    if (rule.ends === undefined || agent === undefined) return;
    await this.closing.endTasksOfAgent(client, agent.id, { cause: rule.ends, actor: by.actor });
  }
}
