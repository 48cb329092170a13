import type { DenialFindings, DenyPolicyClaim, DenyPolicyWrite, DenyPolicies } from '@mayfly/credentials';
import { addSeconds, type Clock, type LeaseId } from '@mayfly/kernel';
import type { AwsAnswer, CallBounds } from './accesses.js';
import { readDenyPolicy, renderDenyPolicy, saySame, type Denials } from './deny-policy.js';
import { covers, planDenyPolicy, type DenyPolicyPlan } from './deny-policy-plan.js';
import type { AwsFailure } from './failures.js';
import { keepUnknown } from './kept-denials.js';
import type { RolePolicy } from './role-policy.js';

/** A claim outlasts every call that is made under it. Both in seconds. */
export const CLAIM_SECONDS = 30;
export const CALLS_SECONDS = 15;

/** The state of a deny policy, as this process wrote or read it last. */
export interface DenyPolicyState {
  readonly revision: number;
  /** when IAM acknowledged the denial of each lease */
  readonly since: ReadonlyMap<LeaseId, Date>;
}

/** The combined wishes of the callers that share a round. */
export interface RoundWish {
  /** the leases that must be denied when the round is over */
  readonly leases: ReadonlySet<LeaseId>;
  /** read the document before anything else */
  readonly look: boolean;
  /** leases that an earlier round reported as denied */
  readonly confirm: ReadonlySet<LeaseId>;
}

export type RoundReport =
  | {
      readonly kind: 'standing';
      readonly standing: DenyPolicyState;
      readonly confirmed: ReadonlySet<LeaseId>;
      readonly findings: DenialFindings;
    }
  /** `unclear`: the document is missing, and it is unknown whether it ever existed, so it must be read again */
  | { readonly kind: 'unclear' | 'lapsed' | 'role-gone' }
  | { readonly kind: 'failed'; readonly failure: AwsFailure };

export interface RoundParts {
  readonly clock: Clock;
  readonly denyPolicies: DenyPolicies;
  readonly policy: RolePolicy;
  readonly maxCharacters: number;
  /** how long after a write IAM may answer with the earlier document */
  readonly staleSeconds: number;
}

/**
 * One claim of one revocation point: reads the deny policy, compares it, writes all of it, records the result.
 * Releases the claim unless it is settled or the outcome of a write is unknown.
 */
export class DenyPolicyRound {
  private readonly bounds: CallBounds;
  /** true when the claim must not be released: it is settled, or a write may still be on its way to IAM */
  private keepsClaim = false;
  /** the leases whose denial was in force before and is not in the document */
  private missing: readonly LeaseId[] = [];

  constructor(
    private readonly parts: RoundParts,
    private claim: DenyPolicyClaim,
    private readonly known: DenyPolicyState | undefined,
  ) {
    this.bounds = {
      signal: AbortSignal.timeout(CALLS_SECONDS * 1000),
      until: addSeconds(parts.clock.now(), CALLS_SECONDS),
    };
  }

  /** Runs the round. `isSecondLook`: a moment ago the document was missing too, at the same revision. */
  async run(wish: RoundWish, isSecondLook: boolean): Promise<RoundReport> {
    try {
      return await this.bring(wish, isSecondLook);
    } finally {
      if (!this.keepsClaim) await this.parts.denyPolicies.release(this.claim);
    }
  }

  private async bring(wish: RoundWish, isSecondLook: boolean): Promise<RoundReport> {
    const place = await this.parts.policy.locate(this.bounds);
    if ('failure' in place) return { kind: 'failed', failure: place.failure };
    const known = this.known?.revision === this.claim.revision ? this.known : undefined;
    if (!wish.look && known !== undefined) return this.deny(wish, known);
    // INVARIANT: I4, this process knows what the document denies before it writes another one.
    const found = await this.parts.policy.read(this.bounds);
    if ('failure' in found) return this.failed(found.failure);
    const claim = await keepUnknown(this.parts.denyPolicies, this.claim, found.value);
    if (claim === undefined) return { kind: 'lapsed' };
    this.claim = claim;
    return wish.look ? this.compare(found.value, wish, known, isSecondLook) : this.deny(wish, undefined);
  }

  /** Writes the document, unless it is known to deny every wished lease. */
  private deny({ leases }: RoundWish, known: DenyPolicyState | undefined): Promise<RoundReport> {
    const hasAll = [...leases].every((lease) => known?.since.has(lease) === true);
    return known !== undefined && hasAll ? this.keep(known, NOBODY) : this.write(this.plan(), undefined, NOBODY);
  }

  private async compare(
    text: string | undefined,
    wish: RoundWish,
    known: DenyPolicyState | undefined,
    isSecondLook: boolean,
  ): Promise<RoundReport> {
    const plan = this.plan();
    if (text !== undefined) return this.compareFound(text, plan, wish);
    if (plan.denials === undefined) return this.keep(this.standing(plan, true, false), NOBODY);
    return this.compareMissing(plan, wish, isSecondLook || this.hasStood(wish, known));
  }

  private async compareMissing(plan: DenyPolicyPlan, wish: RoundWish, hasStood: boolean): Promise<RoundReport> {
    if (this.claim.revision > 0 && hasStood) {
      const isSeenTooSoon = wish.confirm.size === 0 && this.wasJustWritten();
      this.missing = this.missingFrom(undefined);
      return this.write(plan, isSeenTooSoon ? 'unclear' : 'removed', NOBODY);
    }
    const isFirst = this.claim.revision === 0 || wish.leases.size > 0;
    return isFirst ? this.write(plan, undefined, NOBODY) : { kind: 'unclear' };
  }

  private compareFound(text: string, plan: DenyPolicyPlan, wish: RoundWish): Promise<RoundReport> {
    const read = readDenyPolicy(text);
    const isOld = read !== undefined && read.revision < this.claim.revision && !this.wasJustWritten();
    this.missing = this.missingFrom(read);
    if (read === undefined || isOld) return this.write(plan, 'edited', NOBODY);
    const isSpread = (this.claim.repairedSecondsAgo ?? Infinity) >= this.parts.staleSeconds;
    const confirmed = new Set([...wish.confirm].filter((lease) => isSpread && this.denies(read, lease)));
    const isAsPlanned = plan.denials !== undefined && saySame(read, plan.denials);
    return isAsPlanned
      ? this.keep(this.standing(plan, true, false), confirmed)
      : this.write(plan, undefined, confirmed);
  }

  /** Returns the leases whose denial IAM had acknowledged, and that the document does not deny now. */
  private missingFrom(read: Denials | undefined): readonly LeaseId[] {
    if (this.wasJustWritten()) return [];
    const had = this.claim.sessions.filter(({ acknowledged }) => acknowledged === true);
    return had.filter(({ leaseId }) => read === undefined || !this.denies(read, leaseId)).map(({ leaseId }) => leaseId);
  }

  /** Returns the report of a round that brought the document to the planned state. */
  private brought(standing: DenyPolicyState, confirmed: ReadonlySet<LeaseId>): RoundReport {
    const kept = this.claim.sessions.filter((session) => session.kept === true);
    return { kind: 'standing', standing, confirmed, findings: { missing: this.missing, kept } };
  }

  /** Returns true when a document with denials is known to have existed. */
  private hasStood(wish: RoundWish, known: DenyPolicyState | undefined): boolean {
    return wish.confirm.size > 0 || (known !== undefined && known.since.size > 0 && !this.wasJustWritten());
  }

  /** Returns true after a recent write by any process: IAM may still answer with the earlier document. */
  private wasJustWritten(): boolean {
    return (this.claim.writtenSecondsAgo ?? Infinity) < this.parts.staleSeconds;
  }

  private plan(isCrowded = false): DenyPolicyPlan {
    return planDenyPolicy(this.claim, this.parts.clock.now(), this.parts.maxCharacters, isCrowded);
  }

  private async write(
    plan: DenyPolicyPlan,
    repaired: DenyPolicyWrite['repaired'],
    confirmed: ReadonlySet<LeaseId>,
  ): Promise<RoundReport> {
    const answer = await this.put(plan.denials);
    if ('failure' in answer) {
      this.keepsClaim = !answer.failure.certain;
      const isCrowded = answer.failure.reason === 'limit-exceeded' && plan.cutOff === undefined;
      return isCrowded ? this.write(this.plan(true), repaired, confirmed) : this.failed(answer.failure);
    }
    const standing = this.standing(plan, repaired === undefined, true);
    const { cutOff } = plan;
    const isRecorded = await this.settle({
      written: true,
      ...(repaired === undefined ? {} : { repaired }),
      ...(cutOff === undefined ? {} : { cutOff }),
    });
    return isRecorded ? this.brought(standing, confirmed) : { kind: 'lapsed' };
  }

  private put(denials: Denials | undefined): Promise<AwsAnswer<true>> {
    if (denials === undefined) return this.parts.policy.remove(this.bounds);
    return this.parts.policy.write(renderDenyPolicy(denials, this.claim.revision + 1), this.bounds);
  }

  /** Settles the claim without a write. */
  private async keep(standing: DenyPolicyState, confirmed: ReadonlySet<LeaseId>): Promise<RoundReport> {
    const isRecorded = await this.settle({ written: false });
    return isRecorded ? this.brought(standing, confirmed) : { kind: 'lapsed' };
  }

  private async settle(write: DenyPolicyWrite): Promise<boolean> {
    const isRecorded = await this.parts.denyPolicies.settle(this.claim, write);
    this.keepsClaim = true;
    return isRecorded;
  }

  private async failed(failure: AwsFailure): Promise<RoundReport> {
    const isGone = failure.reason === 'not-found' && (await this.parts.policy.isRoleGone(this.bounds));
    return isGone ? { kind: 'role-gone' } : { kind: 'failed', failure };
  }

  /**
   * Returns the state of the document after the round. `isUnbroken`: the denials have been in force since IAM
   * acknowledged them. After a write of another process the acknowledgements start anew, because that write may have
   * been a repair.
   */
  private standing({ denials }: DenyPolicyPlan, isUnbroken: boolean, isWritten: boolean): DenyPolicyState {
    const now = this.parts.clock.now();
    const before = isUnbroken && this.known?.revision === this.claim.revision ? this.known.since : undefined;
    const denied = this.claim.sessions.filter(({ leaseId }) => denials !== undefined && this.denies(denials, leaseId));
    return {
      revision: this.claim.revision + (isWritten ? 1 : 0),
      since: new Map(denied.map(({ leaseId }) => [leaseId, before?.get(leaseId) ?? now])),
    };
  }

  private denies(denials: Denials, lease: LeaseId): boolean {
    if (denials.names.includes(lease)) return true;
    const session = this.claim.sessions.find(({ leaseId }) => leaseId === lease);
    return session !== undefined && covers(denials.cutOff, session.issuedBy);
  }
}

const NOBODY: ReadonlySet<LeaseId> = new Set();
