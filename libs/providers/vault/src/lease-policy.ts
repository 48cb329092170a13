import { createHash } from 'node:crypto';
import { addSeconds, canonicalJson, type Clock } from '@mayfly/kernel';
import { failureOf, VaultFailure } from './failures.js';
import { succeeded, type BrokerLogin } from './broker-login.js';
import type { VaultHandle } from './vault.schemas.js';

type Request = Pick<VaultHandle, 'path' | 'method'>;

/** A policy that was found in order is looked at again after this long: whoever changed it meanwhile is noticed. */
const TRUST_SECONDS = 300;

/**
 * What a lease's token may do: one path, one way. JSON, which Vault reads as it does its own policy language, so that no
 * text is ever put together.
 */
export function policyText({ path, method }: Request): string {
  const capabilities = method === 'read' ? ['read'] : ['create', 'update'];
  return canonicalJson({ path: { [path]: { capabilities } } });
}

/** Named after its content (lower case, as Vault keeps names), so that one name never means two things. */
export function policyName(request: Request): string {
  return `mayfly-${createHash('sha256').update(policyText(request)).digest('hex').slice(0, 40)}`;
}

/** The policies of one server that were found in order. */
export class LeasePolicies {
  private readonly goodUntil = new Map<string, Date>();
  private readonly underWay = new Map<string, Promise<void>>();

  constructor(private readonly clock: Clock) {}

  /** Makes sure that the policy is there and says exactly what it should, as read back. Throws `VaultFailure`. */
  async ensure(login: BrokerLogin, request: Request): Promise<void> {
    const name = policyName(request);
    const until = this.goodUntil.get(name);
    if (until !== undefined && this.clock.now() < until) return;
    const known = this.underWay.get(name);
    if (known !== undefined) return known;
    const check = this.put(login, name, policyText(request)).finally(() => this.underWay.delete(name));
    this.underWay.set(name, check);
    return check;
  }

  /** After a refusal that the policy may be the cause of. */
  forget(name: string): void {
    this.goodUntil.delete(name);
  }

  /** Read first: where somebody else keeps the policies, the broker needs no right to write them. */
  private async put(login: BrokerLogin, name: string, text: string): Promise<void> {
    if (!(await isAs(login, name, text))) {
      const answer = await login.ask('write', `sys/policies/acl/${name}`, { policy: text });
      if (answer.status === 403) throw new VaultFailure('permission-denied', `the policy ${name} cannot be written`);
      succeeded(answer);
      if (!(await isAs(login, name, text))) throw new VaultFailure('bad-answer');
    }
    this.goodUntil.set(name, addSeconds(this.clock.now(), TRUST_SECONDS));
  }
}

async function isAs(login: BrokerLogin, name: string, text: string): Promise<boolean> {
  const answer = await login.ask('read', `sys/policies/acl/${name}`);
  if (answer.status === 200) return answer.body.data?.policy === text;
  const failure = failureOf(answer);
  if (failure.reason === 'not-found') return false;
  throw failure;
}
