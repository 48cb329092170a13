import { randomBytes } from 'node:crypto';
import { failure, secondsOf, success, textOf, wrapped, type Answer, type Fields } from './answers.js';
import type { Namespace, TokenRole } from './namespace.js';

export interface Token {
  readonly id: string;
  readonly accessor: string;
  readonly namespace: Namespace;
  readonly policies: readonly string[];
  readonly displayName: string;
  readonly meta: unknown;
  readonly orphan: boolean;
  readonly issuedAt: number;
  readonly explicitMaxSeconds: number;
  readonly renewable: boolean;
  readonly path: string;
  readonly parent?: Token;
  /** tokens of a role only: the role's explicit maximum; renewals use it instead of the token's own */
  readonly roleMaxSeconds?: number;
  /** epoch milliseconds; undefined: never */
  expiresAt: number | undefined;
}

export const MAX_TTL_SECONDS = 2_764_800;

interface TokenOrder extends Pick<Token, 'namespace' | 'policies' | 'displayName' | 'orphan' | 'path'> {
  readonly meta?: unknown;
  readonly seconds: number;
  readonly explicitMaxSeconds?: number;
  readonly renewable?: boolean;
  readonly parent?: Token;
  readonly roleMaxSeconds?: number;
}

/** The token store: tokens by id and accessor, their expiry and their parents. */
export class Tokens {
  private readonly byId = new Map<string, Token>();

  /** Calls `ended` for each token that ends, before it is forgotten. */
  constructor(private readonly ended: (token: Token) => void) {}

  root(namespace: Namespace, id: string): void {
    this.keep({ ...this.blank(namespace), id, policies: ['root'], expiresAt: undefined });
  }

  /** Issues a token, with a warning when its lifetime is shortened. */
  issue(order: TokenOrder): { readonly token: Token; readonly seconds: number; readonly warnings: string[] | null } {
    const max = Math.min(limitOf(order.explicitMaxSeconds), MAX_TTL_SECONDS);
    const seconds = Math.min(order.seconds || max, max);
    const token = {
      ...this.blank(order.namespace),
      ...order,
      explicitMaxSeconds: order.explicitMaxSeconds ?? 0,
      renewable: order.renewable ?? true,
      expiresAt: Date.now() + seconds * 1000,
    };
    this.keep(token);
    return { token, seconds, warnings: seconds < order.seconds ? [cutWarning(order.seconds, max)] : null };
  }

  find(id: string): Token | undefined {
    return this.alive(this.byId.get(id));
  }

  byAccessor(accessor: string): Token | undefined {
    return this.alive([...this.byId.values()].find((token) => token.accessor === accessor));
  }

  accessors(): string[] {
    return [...this.byId.values()].filter((token) => this.alive(token)).map(({ accessor }) => accessor);
  }

  /** Ends a token and all of its child tokens that are not orphans. */
  revoke(token: Token): void {
    if (!this.byId.has(token.id)) return;
    this.ended(token);
    this.byId.delete(token.id);
    for (const child of [...this.byId.values()]) if (child.parent === token) this.revoke(child);
  }

  renew(token: Token, increment: number): Answer {
    const left = this.leftToMax(token);
    const seconds = Math.min(increment || left, left);
    if (!token.renewable) return failure(400, 'lease is not renewable');
    token.expiresAt = Date.now() + seconds * 1000;
    const warnings = seconds < increment ? [cutWarning(increment, left)] : null;
    return success({ auth: authOf(token, seconds, ''), warnings });
  }

  revokeAccessor(accessor: string): Answer {
    const token = this.byAccessor(accessor);
    if (token === undefined) return success({ warnings: ['No token found with this accessor'] });
    this.revoke(token);
    return { status: 204 };
  }

  lookUpAccessor(accessor: string): Answer {
    const token = this.byAccessor(accessor);
    return token === undefined ? wrapped(400, 'invalid accessor') : success({ data: { ...lookupOf(token), id: '' } });
  }

  /** Answers `auth/token/create/<role>`. Refuses what the role does not allow, for every caller. */
  createByRole(namespace: Namespace, name: string, fields: Fields): Answer {
    const role = namespace.tokenRoles.get(name);
    if (role === undefined) return failure(400, `unknown role ${name}`);
    const policies = Array.isArray(fields.policies) ? fields.policies.map(String) : [];
    const foreign = policies.filter((policy) => !role.allowed_policies_glob.some((glob) => fits(policy, glob)));
    if (foreign.length > 0)
      return failure(400, `token policies (${JSON.stringify(policies)}) must be subset of the role's`);
    const isBare = role.token_no_default_policy || fields.no_default_policy === true;
    const { token, seconds, warnings } = this.issue({
      namespace,
      policies: isBare ? policies : [...policies, 'default'],
      displayName: `token-${textOf(fields.display_name)}`,
      orphan: role.orphan,
      path: `auth/token/create/${name}`,
      meta: fields.meta,
      seconds: secondsOf(fields.ttl),
      explicitMaxSeconds: leastOf(role, secondsOf(fields.explicit_max_ttl)),
      renewable: role.renewable && fields.renewable !== false,
      roleMaxSeconds: role.token_explicit_max_ttl,
    });
    return success({ auth: authOf(token, seconds), warnings });
  }

  private keep(token: Token): void {
    this.byId.set(token.id, token);
    this.endInTime(token);
  }

  /** Ends a token at its expiry, like Vault's own timer; checks again when the token was renewed. */
  private endInTime(token: Token): void {
    if (token.expiresAt === undefined) return;
    const wait = Math.min(Math.max(token.expiresAt - Date.now(), 0) + 10, 2 ** 31 - 1);
    setTimeout(() => {
      if (!this.byId.has(token.id)) return;
      if (this.alive(token)) this.endInTime(token);
      else this.revoke(token);
    }, wait).unref();
  }

  private alive(token: Token | undefined): Token | undefined {
    return token?.expiresAt !== undefined && token.expiresAt <= Date.now() ? undefined : token;
  }

  private leftToMax({ issuedAt, explicitMaxSeconds, roleMaxSeconds }: Token): number {
    const max = limitOf(roleMaxSeconds ?? explicitMaxSeconds);
    return Math.max(0, Math.floor((issuedAt + max * 1000 - Date.now()) / 1000));
  }

  private blank(namespace: Namespace): Token {
    return {
      id: `s.${randomBytes(18).toString('hex').slice(0, 24)}`,
      accessor: randomBytes(18).toString('hex').slice(0, 24),
      namespace,
      policies: [],
      displayName: 'token',
      meta: null,
      orphan: true,
      issuedAt: Date.now(),
      explicitMaxSeconds: 0,
      renewable: true,
      path: 'auth/token/root',
      expiresAt: undefined,
    };
  }
}

export function authOf(token: Token, seconds: number, id = token.id): Fields {
  const { accessor, policies, meta, renewable, orphan } = token;
  return {
    client_token: id,
    accessor,
    policies,
    token_policies: policies,
    metadata: meta,
    lease_duration: seconds,
    renewable,
    entity_id: '',
    token_type: 'service',
    orphan,
    mfa_requirement: null,
    num_uses: 0,
  };
}

export function lookupOf(token: Token): Fields {
  const ttl = token.expiresAt === undefined ? 0 : Math.floor((token.expiresAt - Date.now()) / 1000);
  const { id, accessor, policies, displayName, meta, orphan, path, explicitMaxSeconds, renewable } = token;
  return {
    id,
    accessor,
    policies,
    display_name: displayName,
    meta,
    orphan,
    path,
    explicit_max_ttl: explicitMaxSeconds,
    renewable,
    ttl,
    type: 'service',
  };
}

export function cutWarning(asked: number, max: number): string {
  return `TTL of "${String(asked)}s" exceeded the effective max_ttl of "${String(max)}s"; TTL value is capped accordingly`;
}

function leastOf(role: TokenRole, asked: number): number {
  const limits = [role.token_explicit_max_ttl, asked].filter((limit) => limit > 0);
  return limits.length === 0 ? 0 : Math.min(...limits);
}

function fits(name: string, glob: string): boolean {
  return glob.endsWith('*') ? name.startsWith(glob.slice(0, -1)) : name === glob;
}

/** Returns the limit; 0 means the server's maximum. */
function limitOf(seconds: number | undefined): number {
  return seconds === undefined || seconds === 0 ? MAX_TTL_SECONDS : seconds;
}
