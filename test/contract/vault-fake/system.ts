import {
  DENIED,
  failure,
  NO_CONTENT,
  NOTHING_LISTED,
  secondsOf,
  success,
  textOf,
  type Answer,
  type Fields,
} from './answers.js';
import type { Leases } from './leases.js';
import { Namespace, type TokenRole } from './namespace.js';
import { authOf, lookupOf, type Token, type Tokens } from './tokens.js';

export interface SystemCall {
  readonly method: string;
  readonly path: string;
  readonly fields: Fields;
  readonly token: Token;
  /** namespace of the request */
  readonly namespace: Namespace;
}

type Handler = (call: SystemCall, match: RegExpExecArray) => Answer | Promise<Answer>;

/** Routes of the server below `sys/` and `auth/`, and the set-up of engines. Returns undefined for other paths. */
export class SystemRoutes {
  private readonly routes: readonly (readonly [RegExp, Handler])[];

  constructor(
    private readonly tokens: Tokens,
    private readonly leases: Leases,
    namespaces: Map<string, Namespace>,
  ) {
    this.routes = [...this.tokenRoutes(), ...this.leaseRoutes(), ...this.policyRoutes(), ...setUpRoutes(namespaces)];
  }

  answer(call: SystemCall): Answer | Promise<Answer> | undefined {
    for (const [pattern, handle] of this.routes) {
      const match = pattern.exec(call.path);
      if (match !== null) return handle(call, match);
    }
    return undefined;
  }

  private tokenRoutes(): [RegExp, Handler][] {
    return [
      [
        /^auth\/token\/create\/([\w.-]+)$/,
        ({ namespace, fields }, [, role]) => this.tokens.createByRole(namespace, role!, fields),
      ],
      [/^auth\/token\/lookup-self$/, ({ token }) => success({ data: lookupOf(token) })],
      [/^auth\/token\/renew-self$/, ({ token, fields }) => this.tokens.renew(token, secondsOf(fields.increment))],
      [/^auth\/token\/revoke-self$/, ({ token }) => this.tokens.revokeAccessor(token.accessor)],
      [/^auth\/token\/lookup-accessor$/, ({ fields }) => this.tokens.lookUpAccessor(textOf(fields.accessor))],
      [/^auth\/token\/revoke-accessor$/, ({ fields }) => this.tokens.revokeAccessor(textOf(fields.accessor))],
      [
        /^auth\/token\/renew-accessor$/,
        ({ fields }) => {
          const token = this.tokens.byAccessor(textOf(fields.accessor));
          if (token === undefined) return this.tokens.lookUpAccessor('');
          return this.tokens.renew(token, secondsOf(fields.increment));
        },
      ],
      [/^auth\/token\/accessors$/, () => success({ data: { keys: this.tokens.accessors() } })],
      [
        /^auth\/token\/create$/,
        ({ namespace, fields, token }) => {
          const { token: made, seconds } = this.tokens.issue({
            namespace,
            parent: token,
            orphan: false,
            policies: ['default', ...(fields.policies as string[])],
            displayName: 'token',
            path: 'auth/token/create',
            seconds: secondsOf(fields.ttl),
          });
          return success({ auth: authOf(made, seconds) });
        },
      ],
    ];
  }

  private leaseRoutes(): [RegExp, Handler][] {
    return [
      [
        /^sys\/leases\/revoke$/,
        ({ fields }) => {
          const id = textOf(fields.lease_id);
          return fields.sync === false ? this.leases.revokeLater(id) : this.leases.revokeNow(id);
        },
      ],
      [/^sys\/leases\/renew$/, ({ fields }) => this.leases.renew(textOf(fields.lease_id), secondsOf(fields.increment))],
      [/^sys\/leases\/lookup$/, ({ fields }) => this.leases.lookUp(textOf(fields.lease_id))],
      [
        /^sys\/leases\/lookup\/(.+?)\/?$/,
        (_, [, prefix]) => {
          const keys = this.leases.list(`${prefix!}/`);
          return keys.length === 0 ? NOTHING_LISTED : success({ data: { keys } });
        },
      ],
    ];
  }

  private policyRoutes(): [RegExp, Handler][] {
    return [
      [
        /^sys\/policies\/acl\/([\w-]+)$/,
        ({ method, namespace, fields }, [, name]) => {
          if (method === 'DELETE') namespace.policies.delete(name!);
          if (method === 'POST') namespace.policies.set(name!, textOf(fields.policy));
          if (method !== 'GET') return NO_CONTENT;
          const policy = namespace.policies.get(name!);
          return policy === undefined ? failure(404) : success({ data: { name, policy } });
        },
      ],
      [
        /^sys\/capabilities-self$/,
        ({ namespace, token, fields }) => {
          const paths = (fields.paths as string[]).map(
            (path) => [path, namespace.capabilities(token.policies, path)] as const,
          );
          const held = paths.map(([path, has]) => [path, has.size === 0 ? ['deny'] : [...has]]);
          return success({ data: Object.fromEntries(held) });
        },
      ],
      [
        /^sys\/internal\/ui\/mounts\/(.+)$/,
        ({ namespace, token }, [, path]) => {
          const mount = [...namespace.engines.keys()].find((name) => path === name || path!.startsWith(`${name}/`));
          if (mount === undefined || !mayReach(namespace, token, mount)) return DENIED;
          return success({ data: { type: namespace.engines.get(mount), path: `${mount}/` } });
        },
      ],
    ];
  }
}

/** True when a policy of the token names a path in the mount. */
function mayReach(namespace: Namespace, { policies }: Token, mount: string): boolean {
  if (policies.includes('root')) return true;
  return policies.some((name) => namespace.policies.get(name)?.includes(`"${mount}/`));
}

function setUpRoutes(namespaces: Map<string, Namespace>): [RegExp, Handler][] {
  return [
    [/^sys\/namespaces\/([\w-]+)$/, (_, [, name]) => kept(namespaces, name!, new Namespace(name!))],
    [
      /^sys\/mounts\/([\w-]+)$/,
      ({ namespace, fields }, [, mount]) => kept(namespace.engines, mount!, textOf(fields.type)),
    ],
    [
      /^sys\/auth\/([\w-]+)$/,
      ({ namespace, fields }, [, mount]) => kept(namespace.authMounts, mount!, textOf(fields.type)),
    ],
    [/^auth\/token\/roles\/([\w-]+)$/, tokenRole],
    [
      /^auth\/jwt\/config$/,
      ({ namespace, fields }) => {
        namespace.jwksUrl = textOf(fields.jwks_url);
        namespace.issuer = textOf(fields.bound_issuer);
        return NO_CONTENT;
      },
    ],
    [
      /^auth\/jwt\/role\/([\w-]+)$/,
      ({ namespace, fields }, [, name]) =>
        kept(namespace.loginRoles, name!, {
          policies: fields.token_policies as string[],
          audience: (fields.bound_audiences as string[])[0]!,
          subject: textOf(fields.bound_subject),
          seconds: secondsOf(fields.token_ttl),
        }),
    ],
    [
      /^auth\/approle\/role\/([\w-]+)$/,
      ({ namespace, fields }, [, name]) =>
        kept(namespace.appRoles, name!, {
          roleId: `role-${name!}`,
          secretId: `secret-${name!}-${String(Math.random()).slice(2)}`,
          policies: fields.token_policies as string[],
          seconds: secondsOf(fields.token_ttl),
        }),
    ],
    [
      /^auth\/approle\/role\/([\w-]+)\/role-id$/,
      ({ namespace }, [, name]) => success({ data: { role_id: namespace.appRoles.get(name!)?.roleId } }),
    ],
    [
      /^auth\/approle\/role\/([\w-]+)\/secret-id$/,
      ({ namespace }, [, name]) => success({ data: { secret_id: namespace.appRoles.get(name!)?.secretId } }),
    ],
    [
      /^auth\/approle\/role\/([\w-]+)\/custom-secret-id$/,
      ({ namespace, fields }, [, name]) => {
        const role = namespace.appRoles.get(name!);
        if (role === undefined) return failure(404);
        return kept(namespace.appRoles, name!, { ...role, secretId: textOf(fields.secret_id) });
      },
    ],
    [
      /^database\/config\/([\w-]+)$/,
      ({ namespace, fields }, [, name]) => kept(namespace.databases, name!, urlIn(fields)),
    ],
    [/^database\/roles\/([\w-]+)$/, databaseRole],
    [/^pki\/(root\/generate\/internal|roles\/[\w-]+)$/, () => NO_CONTENT],
    [/^secret\/data\/[\w-]+$/, secret],
  ];
}

function kept<Value>(map: Map<string, Value>, key: string, value: Value): Answer {
  map.set(key, value);
  return NO_CONTENT;
}

const tokenRole: Handler = ({ method, namespace, fields }, [, name]) => {
  const role = namespace.tokenRoles.get(name!);
  if (method === 'GET') return role === undefined ? failure(404) : success({ data: { ...role, name } });
  return kept(namespace.tokenRoles, name!, {
    orphan: fields.orphan === true,
    renewable: fields.renewable !== false,
    allowed_policies: [],
    allowed_policies_glob: (fields.allowed_policies_glob ?? []) as string[],
    token_no_default_policy: fields.token_no_default_policy === true,
    token_explicit_max_ttl: secondsOf(fields.token_explicit_max_ttl),
    token_period: 0,
    token_type: 'service',
  } satisfies TokenRole);
};

const databaseRole: Handler = ({ method, namespace, fields }, [, name]) => {
  const role = namespace.databaseRoles.get(name!);
  if (method === 'GET')
    return role === undefined ? failure(404) : success({ data: { revocation_statements: role.revocation } });
  return kept(namespace.databaseRoles, name!, {
    dbName: textOf(fields.db_name),
    creation: fields.creation_statements as string[],
    revocation: (fields.revocation_statements ?? []) as string[],
    defaultSeconds: secondsOf(fields.default_ttl),
    maxSeconds: secondsOf(fields.max_ttl),
  });
};

const secret: Handler = ({ method, namespace, path, fields }) => {
  if (method === 'POST') return kept(namespace.secrets, path, fields.data);
  const data = namespace.secrets.get(path);
  return data === undefined ? failure(404) : success({ data: { data, metadata: { version: 1 } } });
};

/** Fills user name and password, which arrive as separate members, into the connection URL. */
function urlIn({ connection_url: url, username, password }: Fields): string {
  return textOf(url).replace('{{username}}', textOf(username)).replace('{{password}}', textOf(password));
}
