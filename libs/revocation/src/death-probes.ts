import {
  openHandle,
  openMaterial,
  type Sealing,
  type Targets,
  usable,
  type UseOutcome,
  withDeadline,
} from '@mayfly/credentials';
import { addSeconds, type Clock, type JsonObject, Problem } from '@mayfly/kernel';
import type { DeathProbeClaim, DeathProbeResult, DeathProbeStore } from './death-probe.store.js';

/** The deadline of one use. A claim lasts longer, so that no two workers use one credential at once. */
const USE_DEADLINE_SECONDS = 10;
/** The seconds that a claim holds. */
export const PROBE_CLAIM_SECONDS = 30;
const MAX_RETRY_SECONDS = 60;
const ACCEPTED = 'the target accepts the credential';

/** Port: counts the answers of targets to ended credentials. */
export interface DeathProbeMetrics {
  /** Counts one use of an ended credential by its outcome. */
  credentialUsed(provider: string, outcome: UseOutcome['kind']): void;
}

/** The parts that death probes work with. */
export interface DeathProbesParts {
  readonly store: DeathProbeStore;
  readonly targets: Targets;
  readonly sealing: Sealing;
  readonly metrics: DeathProbeMetrics;
  readonly clock: Clock;
  /** writes the log line of a credential that a target accepts after its end */
  readonly tell: (text: string, facts: JsonObject) => void;
  /** receives errors of the store; the claim then lapses, and a later round uses the credential */
  readonly report: (error: unknown) => void;
}

/**
 * Uses ended credentials until their targets refuse them, where a template says `probe: true`. The refusal is the only
 * proof that does not rest on the word of the target's administration.
 */
export class DeathProbes {
  constructor(private readonly parts: DeathProbesParts) {}

  /** Uses at most `limit` ended credentials once, and returns their number. */
  async round(limit: number): Promise<number> {
    const claims = await this.parts.store.claimDue(limit);
    await Promise.all(claims.map((claim) => this.probe(claim).catch(this.parts.report)));
    return claims.length;
  }

  private async probe(claim: DeathProbeClaim): Promise<void> {
    const outcome = await this.use(claim).catch((error: unknown): UseOutcome => {
      const detail = error instanceof Problem ? error.detail : 'the provider failed unexpectedly; Mayfly tries again';
      return { kind: 'unknown', detail };
    });
    this.parts.metrics.credentialUsed(claim.provider, outcome.kind);
    if (outcome.kind === 'accepted' && !claim.accepted) this.tellAccepted(claim);
    await this.parts.store.record(this.resultOf(claim, outcome));
  }

  private async use(claim: DeathProbeClaim): Promise<UseOutcome> {
    const { sealing, targets } = this.parts;
    const { handle, target } = await openHandle(sealing, targets, claim);
    const { provider, config, related } = target;
    const material = openMaterial(sealing, claim.id, claim.sealedMaterial);
    const order = { config, handle, material, ...(related === undefined ? {} : { related }) };
    const known = usable(provider);
    if (known === undefined)
      return { kind: 'unknown', detail: `provider \`${claim.provider}\` cannot use credentials` };
    return withDeadline(USE_DEADLINE_SECONDS, (signal) => known.use(order, signal));
  }

  private resultOf(claim: DeathProbeClaim, outcome: UseOutcome): DeathProbeResult {
    const at = this.parts.clock.now();
    if (outcome.kind === 'refused') return { claim, kind: 'dead', at };
    const retryAt = addSeconds(at, Math.min(2 ** claim.attempts, MAX_RETRY_SECONDS));
    const isLast = retryAt >= claim.giveUpAt;
    if (outcome.kind === 'accepted')
      return isLast ? { claim, kind: 'given-up', at, error: ACCEPTED } : { claim, kind: 'accepted', at, retryAt };
    const error = outcome.detail;
    return isLast ? { claim, kind: 'given-up', at, error } : { claim, kind: 'unknown', error, retryAt };
  }

  private tellAccepted({ id, taskId, agent, provider }: DeathProbeClaim): void {
    const facts = { leaseId: id, taskId, agent, provider };
    this.parts.tell('a target accepts a credential that has ended; end it at the target, and find out why', facts);
  }
}
