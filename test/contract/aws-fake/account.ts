import { randomBytes } from 'node:crypto';
import { AwsError } from './answers.js';
import { decide, type PolicyDocument, type Question } from './policy.js';

export const ACCOUNT = '123456789012';

/** Behaviour of the account; a test may change any member at any time. */
export interface Behaviour {
  /** delay until a changed policy of a role takes effect */
  propagationSeconds: number;
  /** the clock of AWS minus the local clock */
  clockOffsetSeconds: number;
  /** permitted calls of STS and IAM per second */
  callsPerSecond: number;
  /** limit of packed policies and tags, in bytes of their compressed text; AWS does not publish its limit */
  packedBytes: number;
}

export interface Role {
  readonly name: string;
  readonly arn: string;
  /** AWS's own id: a later role of the same name has another one */
  readonly id: string;
  trust: PolicyDocument;
  trustText: string;
  readonly maxSessionSeconds: number;
  readonly policies: Map<string, string>;
  /** the policies in force over time; the last entry is the newest */
  readonly history: { readonly since: number; readonly policies: readonly PolicyDocument[] }[];
}

/** A caller: a user with keys, or a session of a role. */
export interface Principal {
  readonly arn: string;
  readonly userId: string;
  readonly secretAccessKey: string;
  readonly token?: string;
  /** policies of a user */
  policies: readonly PolicyDocument[];
  readonly session?: Session;
}

export interface Session {
  readonly role: Role;
  readonly name: string;
  readonly issuedAt: Date;
  readonly expiresAt: Date;
  /** inline and managed session policies; undefined without any */
  readonly policies?: readonly PolicyDocument[];
  readonly sourceIdentity?: string;
  readonly tags: ReadonlyMap<string, string>;
  readonly transitiveTagKeys: readonly string[];
}

/** The state of an account, and its authorization. */
export class Account {
  readonly behaviour: Behaviour = {
    propagationSeconds: 0,
    clockOffsetSeconds: 0,
    callsPerSecond: Infinity,
    packedBytes: 1200,
  };
  readonly roles = new Map<string, Role>();
  readonly principals = new Map<string, Principal>();
  readonly managedPolicies = new Map<string, PolicyDocument>();
  /** by URL without scheme */
  readonly oidcProviders = new Map<string, { readonly url: string; readonly clientIds: readonly string[] }>();
  readonly buckets = new Map<string, Map<string, Buffer>>();

  now(): Date {
    return new Date(Date.now() + this.behaviour.clockOffsetSeconds * 1000);
  }

  addUser(
    name: string,
    policy: PolicyDocument,
    accessKeyId = keyId('AKIA'),
  ): Principal & { readonly accessKeyId: string } {
    const secretAccessKey = randomBytes(30).toString('base64');
    const user = {
      arn: `arn:aws:iam::${ACCOUNT}:user/${name}`,
      userId: keyId('AIDA'),
      secretAccessKey,
      policies: [policy],
    };
    this.principals.set(accessKeyId, user);
    return { ...user, accessKeyId };
  }

  role(arnOrName: string): Role {
    const role = this.roles.get(arnOrName.slice(arnOrName.lastIndexOf('/') + 1));
    if (role !== undefined && (arnOrName === role.name || arnOrName === role.arn)) return role;
    throw new AwsError('NoSuchEntity', 404, `The role with name ${arnOrName} cannot be found.`);
  }

  /** Adds a role of the same name, trust and rights in another account. IAM does not know it here, but STS does. */
  addTwinElsewhere(role: Role, account: string): Role {
    const arn = role.arn.replace(ACCOUNT, account);
    const twin = { ...role, arn, id: keyId('AROA'), policies: new Map(role.policies), history: [...role.history] };
    this.roles.set(arn, twin);
    return twin;
  }

  /** Applies changed inline policies after the propagation delay. */
  changed(role: Role, policies: readonly PolicyDocument[]): void {
    role.history.push({ since: Date.now() + this.behaviour.propagationSeconds * 1000, policies });
  }

  /** Throws unless all policies that apply to the caller permit the action. */
  authorize(
    caller: Principal,
    action: string,
    resource: string,
    more: ReadonlyMap<string, readonly string[]> = new Map(),
  ): void {
    const question = { action, resource, context: new Map([...this.contextOf(caller), ...more]) };
    if (this.allows(caller, question)) return;
    throw new AwsError(
      'AccessDenied',
      403,
      `User: ${caller.arn} is not authorized to perform: ${action} on resource: ${resource}`,
    );
  }

  allows(caller: Principal, question: Question): boolean {
    const { session } = caller;
    if (session === undefined) return decide(caller.policies, question) === 'allow';
    const { role } = session;
    // A session is bound to the id of its role.
    if (![...this.roles.values()].some(({ id }) => id === role.id)) return false;
    const inForce = role.history.filter(({ since }) => since <= Date.now()).at(-1)?.policies ?? [];
    const byRole = decide(inForce, question);
    const bySession = session.policies === undefined ? 'allow' : decide(session.policies, question);
    return byRole === 'allow' && bySession === 'allow';
  }

  contextOf(caller: Principal): Map<string, readonly string[]> {
    const now = this.now();
    const { session } = caller;
    const context = new Map<string, readonly string[]>([
      ['aws:userid', [caller.userId]],
      ['aws:principalarn', [session?.role.arn ?? caller.arn]],
      ['aws:principalaccount', [ACCOUNT]],
      ['aws:principaltype', [session === undefined ? 'User' : 'AssumedRole']],
      ['aws:currenttime', [now.toISOString()]],
      ['aws:epochtime', [String(Math.floor(now.getTime() / 1000))]],
      ['aws:securetransport', ['false']],
      ['aws:sourceip', ['127.0.0.1']],
    ]);
    if (session === undefined) return context;
    context.set('aws:tokenissuetime', [session.issuedAt.toISOString()]);
    if (session.sourceIdentity !== undefined) context.set('aws:sourceidentity', [session.sourceIdentity]);
    for (const [key, value] of session.tags) context.set(`aws:principaltag/${key.toLowerCase()}`, [value]);
    return context;
  }
}

/** Returns a random id in AWS's form. */
export function keyId(prefix: 'AKIA' | 'ASIA' | 'AIDA' | 'AROA'): string {
  return prefix + randomBytes(10).toString('hex').toUpperCase().slice(0, 16);
}
