import { auditEntry, EntryLimits, MAYFLY } from '@mayfly/audit';
import { identityRefusalReason } from '@mayfly/identity';
import type { IssuanceMetrics, IssuanceStore } from '@mayfly/issuance';
import type { Clock, Problem } from '@mayfly/kernel';
import { actorOf, type Principal } from './principal.js';

/** Entries a second that one caller can cause, and all who stand for nobody together: refusals must not fill the log. */
const LIMITS = { perIdentity: 10, shared: 50 };

/** Writes refusals at the door into the audit before they are answered. Beyond the limits they are counted instead. */
export class RefusalRecorder {
  private readonly unproven = new EntryLimits(LIMITS);
  private readonly proven = new EntryLimits(LIMITS);

  constructor(
    private readonly store: Pick<IssuanceStore, 'record'>,
    private readonly metrics: Pick<IssuanceMetrics, 'denied'>,
    private readonly clock: Clock,
  ) {}

  async unauthenticated(problem: Problem, route: string): Promise<void> {
    this.metrics.denied('identity');
    const now = this.clock.now();
    const suppressedBefore = this.unproven.admitStranger(now);
    if (suppressedBefore === undefined) return;
    const facts = { route, reason: identityRefusalReason(problem) ?? 'no_token', suppressedBefore };
    await this.store.record([auditEntry('identity.refused', now, MAYFLY, {}, facts)]);
  }

  /** `control` is what refused. */
  async forbidden(principal: Principal, route: string, control = 'permission'): Promise<void> {
    this.metrics.denied(control);
    const now = this.clock.now();
    const { issuer, subject } = principal.identity;
    const suppressedBefore = this.proven.admitIdentity(now, issuer, subject, principal.kind === 'workload');
    if (suppressedBefore === undefined) return;
    const subjectOf = principal.kind === 'agent' ? { agent: principal.agent.name } : {};
    const facts = { route, control, identity: { issuer, subject }, suppressedBefore };
    await this.store.record([auditEntry('request.forbidden', now, actorOf(principal), subjectOf, facts)]);
  }
}
