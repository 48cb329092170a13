import type { LeaseMarks, RevocationOutcome, TargetObject, TargetObjects } from '@mayfly/credentials';
import { isId, present } from '@mayfly/kernel';
import type { BrokerLogin } from './broker-login.js';
import { failureFrom, failureOf } from './failures.js';
import type { Order } from './lifetime.js';
import { endToken, findToken } from './proofs.js';
import type { Server } from './server.js';
import type { VaultConfig } from './vault.schemas.js';

/** Returns the metadata of the token of a lease: what it is for, and the mark that proves that Mayfly made it. */
export function metadataOf({ leaseId, taskId, agent, template }: Order, mark: string | undefined) {
  return { lease: leaseId, task: taskId, agent: agent.name, template: template.name, ...present({ mark }) };
}

/** The most tokens that one call looks up. Later calls look up the others, and look up no token twice. */
const MAX_LOOKS = 1_000;
const LOOKS_AT_ONCE = 8;
const MAX_TOKENS = 100_000;

/** A token that was looked up: the object that it is, or undefined when Mayfly's token role did not make it. */
type Seen = Map<string, TargetObject | undefined>;

/**
 * Lists the tokens of a server that were made with the token role of the connection. Facts of a token never change, so
 * each token is looked up once for as long as it lives.
 */
export class LeaseTokens {
  private readonly seenAt = new WeakMap<Server, Seen>();

  constructor(private readonly marks: LeaseMarks | undefined) {}

  /** Returns the tokens. Throws `VaultFailure`. */
  async list(server: Server, config: VaultConfig, signal: AbortSignal): Promise<TargetObjects> {
    const list = await server.login.ask('list', 'auth/token/accessors');
    if (list.status === 403) return { objects: [], unseen: NO_RIGHT };
    if (list.status !== 200) throw failureOf(list);
    const accessors = Array.isArray(list.body.data?.keys) ? list.body.data.keys.map(String) : [];
    if (accessors.length > MAX_TOKENS) return { objects: [], unseen: TOO_MANY };
    const before = this.seenAt.get(server);
    const seen: Seen = new Map(accessors.filter((one) => before?.has(one)).map((one) => [one, before?.get(one)]));
    this.seenAt.set(server, seen);
    const others = accessors.filter((one) => !seen.has(one));
    await this.lookUp(server.login, others.slice(0, MAX_LOOKS), { config, seen, signal });
    const objects = [...seen.values()].filter((object) => object !== undefined);
    return others.length <= MAX_LOOKS ? { objects } : { objects, unseen: NOT_YET };
  }

  private async lookUp(
    login: BrokerLogin,
    accessors: readonly string[],
    { config, seen, signal }: { config: VaultConfig; seen: Seen; signal: AbortSignal },
  ): Promise<void> {
    for (let at = 0; at < accessors.length; at += LOOKS_AT_ONCE) {
      signal.throwIfAborted();
      await Promise.all(
        accessors.slice(at, at + LOOKS_AT_ONCE).map(async (accessor) => {
          const token = await findToken(login, accessor);
          if (token !== undefined) seen.set(accessor, this.objectOf(accessor, token, config));
        }),
      );
    }
  }

  private objectOf(
    name: string,
    { path, meta }: Readonly<Record<string, unknown>>,
    { tokenRole }: VaultConfig,
  ): TargetObject | undefined {
    if (path !== `auth/token/create/${tokenRole}`) return undefined;
    const { lease, mark } = (meta ?? {}) as { readonly lease?: unknown; readonly mark?: unknown };
    if (typeof lease !== 'string' || !isId('lse', lease)) return { name, mark: 'none' };
    if (typeof mark !== 'string') return { name, leaseId: lease, mark: 'none' };
    return { name, leaseId: lease, mark: this.marks?.isMarkOf(lease, mark) === true ? 'ours' : 'other' };
  }
}

const NO_RIGHT =
  "the broker's policy lacks `list` and `sudo` on `auth/token/accessors`, so no token was compared; add them (docs/connect-vault.md)";
const TOO_MANY = `the server has more than ${String(MAX_TOKENS)} tokens, so none was compared; give Mayfly a namespace of its own`;
const NOT_YET = 'the server has tokens that were not looked up yet; the next reconciliation looks up more';

/** Ends the token with this accessor, and with it its leases. Never throws. */
export async function endLeaseToken({ login }: Server, accessor: string): Promise<RevocationOutcome> {
  try {
    if (await endToken(login, accessor)) return { kind: 'revoked', remains: QUEUED };
    return { kind: 'not_yet', detail: 'the token is not revoked yet' };
  } catch (error) {
    return { kind: 'unknown', detail: failureFrom(error).detail };
  }
}

const QUEUED = 'vault has queued the revocation of the secrets that were read with the token';
