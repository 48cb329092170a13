import type { Minted } from '@mayfly/credentials';
import { Problem } from '@mayfly/kernel';
import type { Judgement } from '@mayfly/policy';
import { quotaScope } from '@mayfly/tasks';
import type { IssuanceStore, OpenVerdict } from './issuance.store.js';
import { judgeCommit } from './commit-control.js';
import type { CommitFound } from './decisions/decision-inputs.js';
import { intentOf, type LocalPlan, type Plan, type RemotePlan } from './plan.js';
import { narrowedQuota } from './quota-control.js';

/** INVARIANT: I1, the class is not exported: only `Opening.open` makes an instance, after the commit. */
class CommittedIntent {
  /** makes the type nominal: no other object is assignable to it */
  protected readonly isCommitted = true;

  constructor(readonly plan: RemotePlan) {}
}

/** Proof that the intent of a plan is committed. `Minter.mint` requires it. */
export type Opened = CommittedIntent;

/** Thrown when the commit refuses a permitted request, because state changed after the decision. */
export class OpenRefused extends Error {
  constructor(
    /** verdicts to add to the decision; empty when no control denied */
    readonly judgements: readonly Judgement[],
    readonly problem?: Problem,
    /** what the commit found; absent when no control denied */
    readonly found?: NonNullable<CommitFound>,
  ) {
    super('the intent was not committed');
    this.name = 'OpenRefused';
  }
}

/** Step 9: records a task, its leases, its quota and its audit entry in one commit. */
export class Opening {
  constructor(private readonly store: Pick<IssuanceStore, 'open' | 'quotaLeft'>) {}

  /** Commits the intent of a remote plan. Throws `OpenRefused`, and `unavailable` when the outcome is unknown. */
  async open(plan: RemotePlan): Promise<Opened> {
    await this.commit(plan, await this.store.open(intentOf(plan)));
    return new CommittedIntent(plan);
  }

  /** Commits intent and activation of a local plan in one transaction. Throws as `open` does. */
  async openActive(plan: LocalPlan, minted: readonly Minted<unknown>[]): Promise<void> {
    await this.commit(plan, await this.store.open(intentOf(plan, minted)));
  }

  private async commit(plan: Plan, verdict: OpenVerdict): Promise<void> {
    if (verdict === 'opened') return;
    const { assessment, requester } = plan;
    const { spec, name } = assessment.template.version;
    if (verdict === 'key' || verdict === 'clock') throw new OpenRefused([], problemOfVerdict(verdict));
    const limits = narrowedQuota(spec.quota, assessment.obligations);
    const found =
      verdict === 'quota' ? { verdict, left: await this.store.quotaLeft(quotaScope(name), limits) } : { verdict };
    const judgements = judgeCommit(found, requester.agent.name, assessment.template.version, assessment.obligations);
    throw new OpenRefused(judgements, undefined, found);
  }
}

function problemOfVerdict(verdict: 'key' | 'clock'): Problem {
  if (verdict === 'clock')
    return new Problem(
      'unavailable',
      'the request took more than 5 s between its plan and its commit, or the clock of this replica differs from that of its database by as much; try again, and look for a slow database if it happens often',
      { retryAfterSeconds: 5 },
    );
  return new Problem(
    'request_in_flight',
    'another request with this `Idempotency-Key` is in progress; send it again after `Retry-After`',
    { retryAfterSeconds: 1 },
  );
}
