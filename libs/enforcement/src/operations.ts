import { actorOf, DENIAL_LIMITS, type DenialLog } from '@mayfly/audit';
import type { Principal } from '@mayfly/identity';
import { type Clock, type ControlName, type DecisionId, newId, present, Problem } from '@mayfly/kernel';
import { deny, type Judgement, permit, type Refusal } from '@mayfly/policy';
import { useAmounts } from '@mayfly/tasks';
import { LRUCache } from 'lru-cache';
import type { KnownLease, KnownTask, KnownTasks } from './known-tasks.js';
import type { Operation, OperationAnswer } from './operation.js';
import { operationRecord, type OperationRecords } from './operation-record.js';
import { judgeScope, type ServedBy, servedLeases } from './operation-scope.js';
import type { ShownToken, ShownTokens } from './shown-tokens.js';
import { leftMembers, judgeUse } from './use-verdicts.js';
import { useKey } from './use-key.js';
import type { UseStore, UseVerdict } from './use.store.js';

/** The parts that operations are decided with. */
export interface OperationsParts {
  /** throws `quarantined` or `unavailable` while nothing may be permitted */
  readonly gate: { pass(): Promise<void> };
  readonly tokens: Pick<ShownTokens, 'read'>;
  readonly tasks: Pick<KnownTasks, 'find'>;
  readonly servers: ServedBy;
  readonly uses: UseStore;
  readonly records: OperationRecords;
  readonly denials: Pick<DenialLog, 'admit' | 'writeLater'>;
  readonly clock: Clock;
  /** replaces what looks like a secret */
  readonly redact: (text: string) => string;
}

/** A token whose task the caller may ask about. */
interface Served {
  readonly shown: ShownToken;
  readonly task: KnownTask;
  readonly leases: readonly KnownLease[];
}

/** The judgements before the count. `reason` says why a token could not be used; only the audit gets it. */
interface Judged {
  readonly judgements: readonly Judgement[];
  readonly reason?: string;
  readonly served?: Served;
}

type Permitted = Judged & { readonly served: Served };

/** A decision before its answer. */
interface Decided extends Judged {
  readonly verdict?: UseVerdict;
}

type ScopeJudge = (served: Served, operation: Operation) => Judgement;

const judgeServed: ScopeJudge = ({ task, leases }, operation) => judgeScope(task, leases, operation);

const MOST_TARGETS = 5_000;

/**
 * Decides whether the holder of a token may do an operation now, and takes its use. INVARIANT: I7, what cannot be read,
 * judged, counted or recorded is denied.
 */
export class Operations {
  private readonly redacted = new LRUCache<string, string>({ max: MOST_TARGETS });

  constructor(private readonly parts: OperationsParts) {}

  /** Decides one operation. Throws `quarantined` or `unavailable`: then the enforcement point must refuse it. */
  async authorize(caller: Principal, operation: Operation): Promise<OperationAnswer> {
    await this.parts.gate.pass();
    return this.settle(caller, operation, await this.judge(caller, operation, judgeServed));
  }

  /**
   * Decides many operations, and takes their uses in the order of the list. Each is decided by itself: one that cannot be
   * decided is denied, and the others are decided.
   */
  async authorizeEach(caller: Principal, operations: readonly Operation[]): Promise<readonly OperationAnswer[]> {
    await this.parts.gate.pass();
    const judged = await Promise.allSettled(operations.map((one) => this.judge(caller, one, judgeServed)));
    const settling = operations.map(async (operation, place) => {
      const one = judged[place];
      if (one?.status !== 'fulfilled') throw one?.reason;
      return this.settle(caller, operation, one.value);
    });
    return Promise.all(settling.map((answer) => answer.catch(undecided)));
  }

  /**
   * Takes one use of the access token that a resource server of its audience introspects. False when the use is refused,
   * for whatever reason. No scope is judged: the resource server reads it in the claims.
   */
  async consume(caller: Principal, token: string, audience: string): Promise<boolean> {
    await this.parts.gate.pass();
    const operation = { token, operation: 'introspect', target: audience, amounts: useAmounts() };
    const judged = await this.judge(caller, operation, () => permit('operation-scope'));
    return (await this.settle(caller, operation, judged)).decision;
  }

  /**
   * Denies an operation that its enforcement point could not name. The denial is recorded for the task of the token, and no
   * use is taken. Throws as `authorize` does.
   */
  async refuse(caller: Principal, operation: Operation, detail: string): Promise<OperationAnswer> {
    await this.parts.gate.pass();
    const judged = await this.judge(caller, operation, () => deny('operation-scope', detail));
    return this.settle(caller, operation, judged);
  }

  /** Judges what needs no count: the token, the caller, and the scope. */
  private async judge(caller: Principal, operation: Operation, scope: ScopeJudge): Promise<Judged> {
    const served = await this.servedBy(caller, operation.token);
    if (typeof served === 'string') return { judgements: [UNUSABLE], reason: served };
    return { judgements: [permit('task-token'), scope(served, operation)], served };
  }

  /** Takes the use of an operation that is permitted so far, keeps the decision, and answers. */
  private async settle(caller: Principal, operation: Operation, judged: Judged): Promise<OperationAnswer> {
    const decided = isDenied(judged) ? judged : await this.counted(caller, operation, judged);
    const id = newId('dec');
    const refusal = decided.judgements.find(isRefusal);
    const asked = { ...operation, target: this.redact(operation.target) };
    if (refusal !== undefined) this.audit(caller, id, asked, refusal, decided);
    await this.keep(caller, id, asked, decided);
    return answerOf(id, refusal, decided);
  }

  private async counted(caller: Principal, operation: Operation, judged: Permitted): Promise<Decided> {
    const verdict = await this.take(caller, judged.served, operation);
    const counts = judgeUse(verdict);
    if (counts.length > 0) return { ...judged, judgements: [...judged.judgements, ...counts], verdict };
    return { ...judged, judgements: [UNUSABLE], reason: verdict.kind === 'dead' ? verdict.cause : verdict.kind };
  }

  /** Returns the task of a token and the credentials that the caller guards; otherwise why the token is of no use to it. */
  private async servedBy(caller: Principal, token: string): Promise<Served | string> {
    const shown = await this.parts.tokens.read(token);
    if (shown === undefined) return 'unknown';
    const task = await this.parts.tasks.find(shown.taskId);
    if (task === undefined) return 'unknown';
    const leases = servedLeases(task, shown, caller.identity, this.parts.servers);
    return leases.length === 0 ? 'foreign' : { shown, task, leases };
  }

  private take(caller: Principal, { shown, task }: Served, { amounts, requestId }: Operation): Promise<UseVerdict> {
    return this.parts.uses.take({
      ...{ taskId: task.id, amounts, counters: task.counters },
      ...present({ leaseId: shown.leaseId, key: useKey(caller, requestId) }),
    });
  }

  /** Keeps the record of a decision on a living task. The use is taken: without its record it is not told. */
  private async keep(caller: Principal, id: DecisionId, operation: Operation, decided: Decided): Promise<void> {
    const { judgements, served, verdict, reason } = decided;
    if (served === undefined || reason !== undefined) return;
    const { shown, task } = served;
    const facts = { id, at: this.parts.clock.now(), task, shown, caller: caller.identity, operation, judgements };
    await this.parts.records.record(operationRecord({ ...facts, ...present({ use: verdict?.kind }) }));
  }

  private audit(
    caller: Principal,
    decision: DecisionId,
    { operation, target }: Operation,
    { control, detail }: Refusal,
    { reason, served }: Decided,
  ): void {
    const { issuer, subject } = caller.identity;
    const about = served === undefined ? {} : { taskId: served.task.id, agent: served.task.agent.name };
    const denial = {
      ...{ type: 'operation.denied' as const, actor: actorOf(caller), subject: about, group: { control } },
      facts: {
        ...{ control, decision, operation, target, identity: { issuer, subject }, requestId: caller.requestId },
        ...present({ detail: detail === '' ? undefined : detail, token: reason }),
      },
      limit: DENIAL_LIMITS.perCaller,
    };
    if (this.parts.denials.admit(denial)) this.parts.denials.writeLater(denial);
  }

  private redact(target: string): string {
    const known = this.redacted.get(target) ?? this.parts.redact(target);
    this.redacted.set(target, known);
    return known;
  }
}

/** A token that is dead, unknown or not for this caller: one denial for all of them, which discloses nothing. */
const UNUSABLE: Refusal = { control: 'task-token', outcome: 'deny', detail: '' };

function isRefusal(judgement: Judgement): judgement is Refusal {
  return judgement.outcome === 'deny';
}

function isDenied(judged: Judged): judged is Exclude<Judged, Permitted> {
  return judged.served === undefined || judged.judgements.some(isRefusal);
}

function answerOf(decisionId: DecisionId, refusal: Refusal | undefined, { verdict }: Decided): OperationAnswer {
  const isOver = refusal?.control === 'quota-uses';
  const left = verdict === undefined ? {} : leftMembers(verdict.left, isOver);
  if (refusal === undefined) return { decision: true, decisionId, ...left };
  const { control, detail, retryAfterSeconds } = refusal;
  const told: { control: ControlName; detail?: string } = { control, ...(detail === '' ? {} : { detail }) };
  return { decision: false, decisionId, ...told, ...left, ...present({ retryAfterSeconds }) };
}

/** INVARIANT: I7, an operation that could not be read, counted or recorded is denied. Rethrows any other error. */
function undecided(error: unknown): OperationAnswer {
  if (!(error instanceof Problem) || error.code !== 'unavailable') throw error;
  const { detail, retryAfterSeconds } = error;
  return { decision: false, decisionId: newId('dec'), detail, ...present({ retryAfterSeconds }) };
}
