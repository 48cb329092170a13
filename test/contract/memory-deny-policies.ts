import type { DenyPolicyClaim, DeniedSession, DenyPolicyWrite, DenyPolicies, FoundDenials } from '@mayfly/credentials';
import { addSeconds, type Clock, type LeaseId } from '@mayfly/kernel';

interface Place {
  version: number;
  revision: number;
  claimedUntil: number;
  writtenAt?: number;
  repairedAt?: number;
  cutOff?: NonNullable<DenyPolicyWrite['cutOff']>;
  readonly revoked: Map<string, DeniedSession>;
  lastExpiresAt?: Date;
}

/** In-memory `DenyPolicies` with the promises of the PostgreSQL store; `revoke` replaces the end of a lease. */
export class MemoryDenyPolicies implements DenyPolicies {
  readonly repairs: ('edited' | 'removed')[] = [];
  readonly cutOffs: NonNullable<DenyPolicyWrite['cutOff']>[] = [];
  writes = 0;
  /** the longest duration of a claim, so that a test need not wait for its lapse */
  longestClaimSeconds = Infinity;
  private readonly places = new Map<string, Place>();

  constructor(private readonly clock: Clock) {}

  /** Records a session to deny. */
  revoke(point: string, session: DeniedSession): void {
    this.place(point).revoked.set(session.leaseId, session);
  }

  /** Returns the same revocation points as an older backup of the database has them: without any ended lease. */
  restored(): MemoryDenyPolicies {
    const older = new MemoryDenyPolicies(this.clock);
    for (const point of this.places.keys()) older.place(point);
    return older;
  }

  /** Records that the target has acknowledged the denial of a session. */
  acknowledge(point: string, leaseId: LeaseId): void {
    const session = this.place(point).revoked.get(leaseId);
    if (session !== undefined) this.revoke(point, { ...session, acknowledged: true });
  }

  /** Records that a lease at the revocation point lives until `expiresAt`. */
  living(point: string, expiresAt: Date): void {
    const place = this.place(point);
    if (place.lastExpiresAt === undefined || expiresAt > place.lastExpiresAt) place.lastExpiresAt = expiresAt;
  }

  async claim(point: string, seconds: number): Promise<DenyPolicyClaim | undefined> {
    const place = this.place(point);
    const now = this.clock.now().getTime();
    if (place.claimedUntil > now) return undefined;
    place.claimedUntil = now + Math.min(seconds, this.longestClaimSeconds) * 1000;
    place.version += 1;
    return {
      revocationPoint: point,
      version: place.version,
      revision: place.revision,
      sessions: [...place.revoked.values()].filter(({ expiresAt }) => expiresAt.getTime() > now),
      ...(place.writtenAt === undefined ? {} : { writtenSecondsAgo: (now - place.writtenAt) / 1000 }),
      ...(place.repairedAt === undefined ? {} : { repairedSecondsAgo: (now - place.repairedAt) / 1000 }),
      ...(place.cutOff === undefined ? {} : { cutOff: place.cutOff }),
      ...(place.lastExpiresAt === undefined ? {} : { lastExpiresAt: place.lastExpiresAt }),
    };
  }

  async keep(claim: DenyPolicyClaim, { names, cutOff }: FoundDenials, seconds: number) {
    const place = this.place(claim.revocationPoint);
    if (place.version !== claim.version || place.claimedUntil === 0) return undefined;
    const now = this.clock.now();
    for (const name of names) {
      const leaseId = name as LeaseId;
      if (place.revoked.has(name)) continue;
      const expiresAt = addSeconds(now, seconds);
      place.revoked.set(name, { leaseId, issuedBy: now, expiresAt, acknowledged: true, kept: true });
    }
    if (cutOff !== undefined) place.cutOff = { at: cutOff, until: addSeconds(cutOff, seconds) };
    const sessions = [...place.revoked.values()].filter(({ expiresAt }) => expiresAt > now);
    return { ...claim, sessions, ...(place.cutOff === undefined ? {} : { cutOff: place.cutOff }) };
  }

  async settle(claim: DenyPolicyClaim, { written, repaired, cutOff }: DenyPolicyWrite): Promise<boolean> {
    const place = this.place(claim.revocationPoint);
    if (place.version !== claim.version || place.claimedUntil === 0) return false;
    place.claimedUntil = 0;
    const now = this.clock.now().getTime();
    if (written) {
      place.revision += 1;
      place.writtenAt = now;
      this.writes += 1;
    }
    if (repaired !== undefined) place.repairedAt = now;
    if (repaired !== undefined && repaired !== 'unclear') this.repairs.push(repaired);
    if (cutOff !== undefined) {
      this.cutOffs.push(cutOff);
      place.cutOff = cutOff;
    }
    return true;
  }

  async release({ revocationPoint: point, version }: DenyPolicyClaim): Promise<void> {
    const place = this.place(point);
    if (place.version === version) place.claimedUntil = 0;
  }

  private place(point: string): Place {
    const place = this.places.get(point) ?? { version: 0, revision: 0, claimedUntil: 0, revoked: new Map() };
    this.places.set(point, place);
    return place;
  }
}
