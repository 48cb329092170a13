import { auditEntry, MAYFLY, type AuditEntry } from '@mayfly/audit';
import { identityRefusalReason } from '@mayfly/identity';
import type { IssuanceMetrics, IssuanceStore } from '@mayfly/issuance';
import type { Clock, Problem } from '@mayfly/kernel';
import { actorOf, type Principal } from './principal.js';

/** Entries of one kind that strangers can cause in a second, at most: who cannot prove anything cannot fill the log. */
const MAX_PER_SECOND = 50;

/** Writes refusals at the door into the audit before they are answered. */
export class RefusalRecorder {
  private second = 0;
  private written = 0;
  private suppressed = 0;

  constructor(
    private readonly store: Pick<IssuanceStore, 'record'>,
    private readonly metrics: Pick<IssuanceMetrics, 'denied'>,
    private readonly clock: Clock,
  ) {}

  /** Beyond the limit entries are counted, and the next one says how many are missing. */
  async unauthenticated(problem: Problem, route: string): Promise<void> {
    this.metrics.denied('identity');
    const now = this.clock.now();
    const second = Math.floor(now.getTime() / 1000);
    if (second !== this.second) [this.second, this.written] = [second, 0];
    if (this.written >= MAX_PER_SECOND) {
      this.suppressed += 1;
      return;
    }
    this.written += 1;
    const facts = { route, reason: identityRefusalReason(problem) ?? 'no_token', suppressedBefore: this.suppressed };
    this.suppressed = 0;
    await this.write(auditEntry('identity.refused', now, MAYFLY, {}, facts));
  }

  /** `control` is what refused. */
  async forbidden(principal: Principal, route: string, control = 'permission'): Promise<void> {
    this.metrics.denied(control);
    const { issuer, subject } = principal.identity;
    const subjectOf = principal.kind === 'agent' ? { agent: principal.agent.name } : {};
    const facts = { route, control, identity: { issuer, subject } };
    await this.write(auditEntry('request.forbidden', this.clock.now(), actorOf(principal), subjectOf, facts));
  }

  private async write(entry: AuditEntry): Promise<void> {
    await this.store.record([entry]);
  }
}
