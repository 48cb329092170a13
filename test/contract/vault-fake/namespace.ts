import type { TransitEngine } from './transit-engine.js';

export interface TokenRole {
  readonly orphan: boolean;
  readonly renewable: boolean;
  readonly allowed_policies: readonly string[];
  readonly allowed_policies_glob: readonly string[];
  readonly token_no_default_policy: boolean;
  readonly token_explicit_max_ttl: number;
  readonly token_period: number;
  readonly token_type: string;
}

export interface DatabaseRole {
  readonly dbName: string;
  readonly creation: readonly string[];
  readonly revocation: readonly string[];
  readonly defaultSeconds: number;
  readonly maxSeconds: number;
}

/** A role of the `jwt` method. */
export interface LoginRole {
  readonly policies: readonly string[];
  readonly audience: string;
  readonly subject: string;
  readonly seconds: number;
}

export interface AppRole {
  readonly roleId: string;
  readonly secretId: string;
  readonly policies: readonly string[];
  readonly seconds: number;
}

/** The state of one namespace, invisible to others. */
export class Namespace {
  /** by mount */
  readonly transit = new Map<string, TransitEngine>();
  readonly policies = new Map<string, string>();
  readonly tokenRoles = new Map<string, TokenRole>();
  /** by mount, such as `database` */
  readonly engines = new Map<string, string>();
  readonly databases = new Map<string, string>();
  readonly databaseRoles = new Map<string, DatabaseRole>();
  readonly secrets = new Map<string, unknown>();
  readonly authMounts = new Map<string, string>();
  readonly loginRoles = new Map<string, LoginRole>();
  readonly appRoles = new Map<string, AppRole>();
  jwksUrl = '';
  issuer = '';

  constructor(readonly name: string) {}

  /** Returns the capabilities of these policies at a path: an exact path first, then the longest that ends in `*`. */
  capabilities(policyNames: readonly string[], path: string): Set<string> {
    const found = new Set<string>();
    for (const name of policyNames) {
      if (name === 'root') return new Set(['root']);
      for (const capability of this.allowedBy(name, path)) found.add(capability);
    }
    return found;
  }

  private allowedBy(name: string, path: string): readonly string[] {
    const text = name === 'default' ? DEFAULT_POLICY : this.policies.get(name);
    if (text === undefined) return [];
    const rules = (JSON.parse(text) as { path: Record<string, { capabilities: string[] }> }).path;
    const exact = rules[path];
    if (exact !== undefined) return exact.capabilities;
    const globs = Object.keys(rules).filter((rule) => rule.endsWith('*') && path.startsWith(rule.slice(0, -1)));
    const longest = globs.sort((a, b) => b.length - a.length)[0];
    return longest === undefined ? [] : rules[longest]!.capabilities;
  }
}

const self = { capabilities: ['update', 'read'] };
const DEFAULT_POLICY = JSON.stringify({
  path: {
    'auth/token/lookup-self': self,
    'auth/token/renew-self': self,
    'auth/token/revoke-self': self,
    'sys/capabilities-self': self,
  },
});
