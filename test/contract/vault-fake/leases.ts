import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { failure, success, type Answer } from './answers.js';
import { cutWarning, type Token } from './tokens.js';

export interface Lease {
  readonly id: string;
  readonly path: string;
  readonly token: Token;
  readonly issuedAt: number;
  readonly maxSeconds: number;
  /** ends the credential at the engine; rejects on failure */
  readonly end: () => Promise<void>;
  readonly stretch: (expiresAt: number) => Promise<void>;
  expiresAt: number;
  revokeError?: string;
}

const MAX_TRIES = 6;

/** Leases, each bound to a token. An expired lease is queued for revocation and tried six times. */
export class Leases {
  private readonly byId = new Map<string, Lease>();
  /** pause before the second try, doubled for each further one; the server's is 10 s */
  backoffMs = 20;

  register(lease: Omit<Lease, 'id' | 'issuedAt'>): Lease {
    const random = randomBytes(18).toString('hex').slice(0, 24);
    const { name } = lease.token.namespace;
    const registered = {
      ...lease,
      id: `${lease.path}/${random}${name === '' ? '' : `.${name}`}`,
      issuedAt: Date.now(),
    };
    this.byId.set(registered.id, registered);
    this.endInTime(registered);
    return registered;
  }

  get count(): number {
    return this.byId.size;
  }

  /** Revokes synchronously: waits for the engine, and keeps the lease when that fails. */
  async revokeNow(id: string): Promise<Answer> {
    const lease = this.byId.get(id);
    if (lease === undefined) return { status: 204 };
    try {
      await lease.end();
    } catch (error) {
      return failure(400, `failed to revoke entry: ${(error as Error).message}`);
    }
    this.byId.delete(id);
    return { status: 204 };
  }

  revokeLater(id: string): Answer {
    const lease = this.byId.get(id);
    if (lease !== undefined) void this.drain(lease);
    return { status: 202 };
  }

  /** Revokes all leases of a token that ends. */
  revokeOf(token: Token): void {
    for (const lease of this.byId.values()) if (lease.token === token) void this.drain(lease);
  }

  lookUp(id: string): Answer {
    const lease = this.byId.get(id);
    if (lease === undefined) return failure(400, 'invalid lease');
    const ttl = Math.round((lease.expiresAt - Date.now()) / 1000);
    const data = {
      id,
      path: lease.path,
      issue_time: new Date(lease.issuedAt).toISOString(),
      expire_time: new Date(lease.expiresAt).toISOString(),
      last_renewal: null,
      renewable: ttl > 0,
      ttl,
      ...(lease.revokeError === undefined ? {} : { revoke_error: lease.revokeError }),
    };
    return success({ data });
  }

  async renew(id: string, increment: number): Promise<Answer> {
    const lease = this.byId.get(id);
    if (lease === undefined || lease.expiresAt <= Date.now()) return failure(400, 'lease not found');
    const left = Math.floor((lease.issuedAt + lease.maxSeconds * 1000 - Date.now()) / 1000);
    const seconds = Math.min(increment, left);
    lease.expiresAt = Date.now() + seconds * 1000;
    await lease.stretch(lease.expiresAt);
    const warnings = seconds < increment ? [cutWarning(increment, left)] : null;
    return success({ lease_id: id, lease_duration: seconds, renewable: true, warnings });
  }

  list(prefix: string): string[] {
    return [...this.byId.keys()].filter((id) => id.startsWith(prefix)).map((id) => id.slice(prefix.length));
  }

  /** Revokes a lease in the background and gives up after six failures, as the server does. */
  private async drain(lease: Lease): Promise<void> {
    lease.expiresAt = Math.min(lease.expiresAt, Date.now() - 1000);
    for (let tries = 1; this.byId.has(lease.id); tries += 1) {
      const { status, body } = await this.revokeNow(lease.id);
      if (status === 204) return;
      if (tries === MAX_TRIES) {
        lease.revokeError = (body as { errors: string[] }).errors[0]!;
        return;
      }
      await pause(this.backoffMs * 2 ** (tries - 1), undefined, { ref: false });
    }
  }

  private endInTime(lease: Lease): void {
    setTimeout(
      () => {
        if (!this.byId.has(lease.id)) return;
        if (lease.expiresAt > Date.now()) this.endInTime(lease);
        else void this.drain(lease);
      },
      Math.min(Math.max(lease.expiresAt - Date.now(), 0) + 10, 2 ** 31 - 1),
    ).unref();
  }
}
