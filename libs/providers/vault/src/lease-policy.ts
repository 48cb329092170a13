import { createHash } from 'node:crypto';
import { addSeconds, canonicalJson, type Clock } from '@mayfly/kernel';
import { failureOf, VaultFailure } from './failures.js';
import { succeeded, type BrokerLogin } from './broker-login.js';
import type { VaultHandle } from './vault.schemas.js';

type Request = Pick<VaultHandle, 'path' | 'method'>;

/** Reads a verified policy again after this long, to notice changes by others. */
const TRUST_SECONDS = 300;

/**
 * Returns the policy of a lease's token: one path, one method. It is JSON, which Vault reads like its own policy
 * language, so that no text is concatenated.
 */
export function policyText({ path, method }: Request): string {
  const capabilities = method === 'read' ? ['read'] : ['create', 'update'];
  return canonicalJson({ path: { [path]: { capabilities } } });
}

/**
 * Returns the policy's name, derived from its content, so that one name never has two meanings. Lower case, as Vault
 * keeps names.
 */
export function policyName(request: Request): string {
  return `mayfly-${createHash('sha256').update(policyText(request)).digest('hex').slice(0, 40)}`;
}

/** The verified policies of one server. */
export class LeasePolicies {
  private readonly goodUntil = new Map<string, Date>();
  private readonly underWay = new Map<string, Promise<void>>();

  constructor(private readonly clock: Clock) {}

  /** Ensures that the policy exists and reads back exactly as it should. Throws `VaultFailure`. */
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

  /** Forgets a verified policy, after a refusal that it may have caused. */
  forget(name: string): void {
    this.goodUntil.delete(name);
  }

  /** Reads before it writes: when somebody else keeps the policies, the broker needs no right to write them. */
  private async put(login: BrokerLogin, name: string, text: string): Promise<void> {
    if (!(await isAs(login, name, text))) {
      const answer = await login.ask('write', `sys/policies/acl/${name}`, { policy: text });
      if (answer.status === 403)
        throw new VaultFailure('permission-denied', {
          detail: `vault does not let Mayfly write the policy \`${name}\`; allow it in the broker's policy`,
        });
      succeeded(answer);
      if (!(await isAs(login, name, text)))
        throw new VaultFailure('bad-answer', {
          detail: `the policy \`${name}\` at vault differs from the one that Mayfly wrote; let nobody else write it`,
        });
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
