import type { Minted } from '@mayfly/credentials';
import { Problem } from '@mayfly/kernel';
import { deny, type Judgement } from '@mayfly/policy';
import { quotaScope } from '@mayfly/tasks';
import type { IssuanceStore, OpenVerdict } from './issuance.store.js';
import { parentDenial, pendingDenial } from './delegations/delegation-controls.js';
import { lockdownDenial } from './lockdown-control.js';
import { intentOf, type LocalPlan, type Plan, type RemotePlan } from './plan.js';
import { judgeRefusedQuota, narrowedQuota } from './quota-control.js';

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
    const { name, spec } = plan.assessment.template.version;
    if (verdict !== 'quota') throw objectionOf(verdict, plan.requester.agent.name, name);
    const limits = narrowedQuota(spec.quota, plan.assessment.obligations);
    const left = await this.store.quotaLeft(quotaScope(name), limits);
    throw new OpenRefused(judgeRefusedQuota(name, limits, left));
  }
}

function objectionOf(verdict: Exclude<OpenVerdict, 'opened' | 'quota'>, agent: string, template: string): OpenRefused {
  switch (verdict) {
    case 'lockdown':
      return new OpenRefused([lockdownDenial(undefined)]);
    case 'agent':
      return new OpenRefused([
        deny('agent-lifecycle', `agent \`${agent}\` is not active`, { help: 'ask an operator to activate the agent' }),
      ]);
    case 'template':
      return new OpenRefused([
        deny('template-lifecycle', `template \`${template}\` changed during this request`, {
          help: 'send the request again to use the version now in force',
        }),
      ]);
    case 'connection':
      return new OpenRefused([
        deny('connection-state', 'a connection of the template was disabled during this request', {
          help: 'ask its owner to enable it',
        }),
      ]);
    case 'delegation':
      return new OpenRefused([pendingDenial()]);
    case 'parent':
      return new OpenRefused([parentDenial()]);
    case 'clock':
      return new OpenRefused(
        [],
        new Problem(
          'unavailable',
          'the request took more than 5 s between its plan and its commit, or the clock of this replica differs from that of its database by as much; try again, and look for a slow database if it happens often',
          { retryAfterSeconds: 5 },
        ),
      );
    case 'key':
      return new OpenRefused(
        [],
        new Problem(
          'request_in_flight',
          'another request with this `Idempotency-Key` is in progress; send it again after `Retry-After`',
          { retryAfterSeconds: 1 },
        ),
      );
  }
}
