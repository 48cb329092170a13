import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type {
  CredentialProvider,
  Minted,
  MintOrder,
  Probeable,
  ProbeReport,
  ProviderTraits,
  Renewable,
  RevocationOrder,
  RevocationOutcome,
  Usable,
  UseOrder,
  UseOutcome,
} from '@mayfly/credentials';
import { Problem, type Clock, type JsonObject, type LeaseId } from '@mayfly/kernel';
import { DummySwitches } from './dummy-switches.js';
import {
  DummyConfigSchema,
  DummyHandleSchema,
  DummyScopeSchema,
  type DummyConfig,
  type DummyHandle,
  type DummyScope,
} from './dummy.schemas.js';

type Order = MintOrder<DummyConfig, DummyScope>;

/** A credential of the dummy target, which accepts it until `expiresAt`. */
export interface DummyCredential {
  readonly id: string;
  readonly token: string;
  readonly permissions: readonly string[];
  readonly expiresAt: Date;
}

/**
 * A target in memory, for tests and first steps. Credentials expire by `clock`, one handle never gets two credentials,
 * and nothing is created after `mintBy`. `switches` make calls fail, hang or slow down; `live()` returns the valid
 * credentials.
 */
export class DummyProvider
  implements
    CredentialProvider<DummyConfig, DummyScope, DummyHandle>,
    Renewable<DummyConfig, DummyScope, DummyHandle>,
    Probeable<DummyConfig>,
    Usable<DummyConfig, DummyHandle>
{
  readonly kind = 'dummy';
  readonly schemas = { config: DummyConfigSchema, scope: DummyScopeSchema, handle: DummyHandleSchema };
  readonly secretMembers: readonly string[] = [];
  readonly traits: ProviderTraits = { revocation: 'immediate', minTtlSeconds: 1, maxTtlSeconds: 43_200, remote: true };
  readonly switches = new DummySwitches();
  private readonly credentials = new Map<string, DummyCredential>();

  constructor(private readonly clock: Clock) {}

  plan(order: Order): DummyHandle {
    return { id: `dummy_${order.leaseId.slice('lse_'.length)}` };
  }

  async mint(order: Order, planned: DummyHandle, signal: AbortSignal): Promise<Minted<DummyHandle>> {
    this.refuseLifetime(order);
    await this.pass('before', order.leaseId, signal);
    const credential = this.create(order, planned.id);
    await this.pass('after', order.leaseId, signal);
    return {
      handle: planned,
      secret: { id: planned.id, token: credential.token },
      providerExpiresAt: credential.expiresAt,
    };
  }

  async renew(order: Order, handle: DummyHandle): Promise<Omit<Minted<DummyHandle>, 'secret'>> {
    this.refuseLifetime(order);
    const credential = this.credentials.get(handle.id);
    if (credential === undefined) throw new Problem('provider_rejected', 'the dummy target has no such credential');
    this.credentials.set(handle.id, { ...credential, expiresAt: order.expiresAt });
    return { handle, providerExpiresAt: order.expiresAt };
  }

  async revoke(order: RevocationOrder<DummyConfig, DummyHandle>): Promise<RevocationOutcome> {
    if (this.switches.takeUnknownRevocation(order.leaseId)) return { kind: 'unknown', detail: 'switched_off' };
    return { kind: this.credentials.delete(order.handle.id) ? 'revoked' : 'already_gone' };
  }

  async probe(): Promise<ProbeReport> {
    const name = 'reach';
    if (!this.switches.down) return { checks: [{ name, outcome: 'ok' }] };
    return { checks: [{ name, outcome: 'failed', detail: 'the dummy target is switched off' }] };
  }

  canUse(): boolean {
    return true;
  }

  materialOf({ token }: Minted<DummyHandle>['secret']): JsonObject | undefined {
    return token === undefined ? undefined : { token };
  }

  async use({ material }: UseOrder<DummyConfig, DummyHandle>): Promise<UseOutcome> {
    if (this.switches.down) return { kind: 'unknown', detail: 'the dummy target is switched off' };
    const { token } = material as { token: string };
    return { kind: this.live().some((credential) => credential.token === token) ? 'accepted' : 'refused' };
  }

  /** Returns the credentials that are valid now, oldest first. */
  live(): readonly DummyCredential[] {
    const now = this.clock.now();
    return [...this.credentials.values()].filter(({ expiresAt }) => expiresAt > now);
  }

  /** Uses a credential as an agent would: returns true when the target grants the token this permission. */
  allows(token: string, permission: string): boolean {
    return this.live().some((credential) => credential.token === token && credential.permissions.includes(permission));
  }

  /** Applies the switches before or after the effect. Throws `Problem`. */
  private async pass(side: 'before' | 'after', leaseId: LeaseId, signal: AbortSignal): Promise<void> {
    const { fault, slowMs } = this.switches.forMint(leaseId);
    if (side === 'before' && slowMs > 0) await orUnavailable(pause(slowMs, undefined, { signal }));
    if (signal.aborted || fault === `hang ${side} effect`) await untilAborted(signal);
    if (fault !== `fail ${side} effect`) return;
    if (side === 'before') throw new Problem('provider_rejected', 'the dummy target refused, and made nothing');
    throw new Problem('provider_unavailable', 'the dummy target failed, and may have made something');
  }

  private create(order: Order, id: string): DummyCredential {
    if (this.clock.now() > order.mintBy) throw new Problem('provider_rejected', 'the request came too late; try again');
    if (this.credentials.has(id))
      throw new Problem('provider_unavailable', 'the dummy target has this credential already');
    const { permissions } = order.scope;
    const token = randomBytes(24).toString('base64url');
    const credential: DummyCredential = { id, token, permissions, expiresAt: order.expiresAt };
    this.credentials.set(id, credential);
    return credential;
  }

  private refuseLifetime({ issuedAt, expiresAt }: Order): void {
    const seconds = (expiresAt.getTime() - issuedAt.getTime()) / 1000;
    if (seconds >= this.traits.minTtlSeconds && seconds <= this.traits.maxTtlSeconds) return;
    throw new Problem('provider_rejected', 'a dummy credential lives 1 to 43200 s; change the lifetime');
  }
}

/** Rejects when `signal` aborts; never resolves. */
function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const stop = (): void => {
      reject(new Problem('provider_unavailable', 'the dummy target did not answer in time'));
    };
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
}

async function orUnavailable(wait: Promise<unknown>): Promise<void> {
  try {
    await wait;
  } catch (cause) {
    throw new Problem('provider_unavailable', 'the dummy target did not answer in time', { cause });
  }
}
