import { auditEntry, type AuditEntry, type AuditEntryType } from '@mayfly/audit';
import { Problem, type Clock } from '@mayfly/kernel';
import type { TaskEndCause } from '@mayfly/tasks';
import type { Catalog, RegisteredAgent } from '../catalog.js';
import type { ChangeRequests } from '../changes/change-requests.js';
import type { RequestedChange } from '../changes/document-change.js';
import { existing, type DeclaredRecord, type Declarer } from '../records/declared-record.js';
import { refuseForeign } from '../records/ownership.js';

type AgentState = RegisteredAgent['state'];

export type LifecycleStep = 'activate' | 'suspend' | 'retire';

interface StepRule {
  readonly from: readonly AgentState[];
  readonly to: AgentState;
  readonly entry: AuditEntryType & `agent.${string}`;
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

/** A change of an agent's state. */
export interface AgentMove {
  readonly to: AgentState;
  readonly by: Declarer;
  readonly entry: AuditEntry;
  /** the end cause of the agent's tasks, when the move ends them */
  readonly ends?: TaskEndCause;
}

/** The locked row of an agent: while `work` runs, no request and no other change can move it. */
export interface LockedAgent {
  /** undefined when no agent has the name */
  readonly record: DeclaredRecord | undefined;
  /** Stores the state, its audit entry and the order to end the tasks. Returns the agent as it is now. */
  move(move: AgentMove): Promise<DeclaredRecord | undefined>;
}

/** Port: the rows of agents. */
export interface AgentLifecycleStore {
  /**
   * Runs `work` in one transaction under the lock of the agent's row, which requests that are being granted hold too.
   * Commits when `work` resolves, so no task of a stopped agent is opened any more. Then ends its tasks in batches, and
   * resolves when the end of each is recorded. After a crash a worker ends the rest; a call for the same agent does so
   * before its own work. Throws `unavailable`, also when the change is committed and a batch failed; and the errors of
   * `work`.
   */
  underLock<T>(name: string, work: (agent: LockedAgent) => Promise<T>): Promise<T>;
}

/** The most due leases, of any agent, that the sweep after a step claims. Later sweeps claim the others. */
const SWEEP_LIMIT = 200;

/** The parts that the use case works with. */
export interface AgentLifecycleParts {
  readonly store: AgentLifecycleStore;
  readonly closing: { sweep(limit: number): Promise<unknown> };
  readonly catalog: Pick<Catalog, 'refresh'>;
  readonly clock: Clock;
  /** true: a platform person acts only on agents of its own groups; operators act on all */
  readonly ownership?: boolean;
  /** when present, a suspension is lifted by two persons */
  readonly requests?: Pick<ChangeRequests, 'step'>;
  /** receives errors after the commit of a change; the background loops retry that work */
  readonly report: (error: unknown) => void;
}

/** Changes the state of agents. */
export class AgentLifecycle {
  constructor(private readonly parts: AgentLifecycleParts) {}

  /**
   * Takes one step. When it stops the agent, the end of each of its tasks is recorded and the revocation of its
   * credentials has begun before this resolves. Does nothing when the agent is already in the target state. Asks for a
   * second person where two must agree to lift a suspension; one person stops an agent at once. Throws `not_found`,
   * `policy_denied` (`ownership`), and `conflict` for a step that the agent's state does not allow.
   */
  async take(step: LifecycleStep, name: string, by: Declarer): Promise<DeclaredRecord | RequestedChange> {
    const { store, catalog, closing, report, requests } = this.parts;
    const record = await store.underLock(name, (agent) => this.move(agent, STEPS[step], name, by));
    if (record === 'needs-two' && requests !== undefined)
      return requests.step({ operation: 'activate', kind: 'Agent', name }, by, isSuspended);
    if (record === 'needs-two') throw new TypeError('no second person can be asked for');
    await Promise.all([catalog.refresh().catch(report), closing.sweep(SWEEP_LIMIT).catch(report)]);
    return record;
  }

  /** An agent that was never active has two persons already: those who agreed on its document. */
  private isLiftedByTwo(state: AgentState): boolean {
    return state === 'suspended' && this.parts.requests !== undefined;
  }

  private async move(
    agent: LockedAgent,
    rule: StepRule,
    name: string,
    by: Declarer,
  ): Promise<DeclaredRecord | 'needs-two'> {
    const record = existing(agent.record, 'Agent', name);
    if (this.parts.ownership === true) refuseForeign(by, [record], ['operator']);
    const { from, to, entry, ends } = rule;
    const state = record.agent?.state ?? 'retired';
    if (state === to) return record;
    if (!from.includes(state))
      throw new Problem(
        'conflict',
        `agent \`${name}\` is ${state} and cannot become ${to}; use a step that its state allows`,
      );
    if (to === 'active' && this.isLiftedByTwo(state)) return 'needs-two';
    const facts = { from: record.agent?.state, to };
    const moved = await agent.move({
      ...{ to, by },
      entry: auditEntry(entry, this.parts.clock.now(), by.actor, { agent: name }, facts),
      ...(ends === undefined ? {} : { ends }),
    });
    return existing(moved, 'Agent', name);
  }
}

function isSuspended({ agent }: DeclaredRecord): boolean {
  return agent?.state === 'suspended';
}
