import { isSecretReference } from '@mayfly/credentials';
import { z } from 'zod';
import { addressFault } from './address.js';
import { isSigningPath, pathFault } from './vault-path.js';

export const RoleSchema = z.string().regex(/^[A-Za-z0-9_.-]{1,128}$/, 'use letters, digits, `_`, `.` and `-`');
export const MountSchema = z
  .string()
  .regex(
    /^[A-Za-z0-9_-]{1,64}(\/[A-Za-z0-9_-]{1,64})*$/,
    'name the mount without `auth/` and without slashes at the ends',
  );
const SecretSchema = z.string().min(1).max(16_384);

const PathSchema = z.string().superRefine((path, context) => {
  const fault = pathFault(path);
  if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
});

const AuthSchema = z.discriminatedUnion('method', [
  /** Logs in with Mayfly's own identity token, so no secret is stored. The token's audience is the server's address. */
  z.strictObject({ method: z.literal('jwt'), role: RoleSchema, mount: MountSchema.default('jwt') }),
  z.strictObject({
    method: z.literal('approle'),
    roleId: z.string().min(1).max(512),
    secretId: SecretSchema,
    mount: MountSchema.default('approle'),
  }),
  z.strictObject({
    method: z.literal('kubernetes'),
    role: RoleSchema,
    mount: MountSchema.default('kubernetes'),
    /** a `file:` reference to the service account's token, which is read again for each login */
    jwt: SecretSchema,
  }),
  z.strictObject({ method: z.literal('token'), token: SecretSchema }),
]);

/** Exceptions for development; production allows neither. */
export interface VaultAllowances {
  readonly allowPlainHttp: boolean;
  readonly allowTokenAuth: boolean;
}

/** `Connection.spec.config` of a Vault or OpenBao server (docs/connect-vault.md). */
export function vaultConfigSchema({ allowPlainHttp, allowTokenAuth }: VaultAllowances) {
  return z.strictObject({
    address: z
      .string()
      .max(512)
      .superRefine((address, context) => {
        const fault = addressFault(address, allowPlainHttp);
        if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
      }),
    /** the namespace of all calls; a scope cannot name another one */
    namespace: z
      .string()
      .max(256)
      .regex(
        /^[A-Za-z0-9_-]+(\/[A-Za-z0-9_-]+)*$/,
        'use segments of letters, digits, `_` and `-`, without slashes at the ends',
      )
      .optional(),
    /** PEM certificates of the authority that signed the server's, as a `file:` reference */
    tls: z
      .strictObject({
        ca: z
          .string()
          .max(262_144)
          .refine((ca) => isSecretReference(ca) || ca.includes('-----BEGIN CERTIFICATE-----'), 'use a file: reference')
          .optional(),
      })
      .optional(),
    auth: AuthSchema.refine(({ method }) => method !== 'token' || allowTokenAuth, {
      message: 'log in by jwt, kubernetes or approle; a fixed token is for development',
    }),
    /** the token role that creates the tokens of leases */
    tokenRole: RoleSchema.default('mayfly'),
    /**
     * The only engines that scopes may name; without it, every engine that the broker's policy allows. `endsSessions`:
     * the owner declares that revocation at this engine ends open sessions too (docs/connect-vault.md has the
     * statements for databases).
     */
    engines: z
      .array(z.strictObject({ mount: MountSchema, endsSessions: z.boolean().default(false) }))
      .min(1)
      .max(64)
      .optional(),
    /** maximum concurrent calls at one engine, for mints and for revocations each */
    concurrency: z.int().min(1).max(64).default(8),
    maxTtlSeconds: z.int().min(60).max(2_764_800).default(43_200),
  });
}
export type VaultConfig = z.infer<ReturnType<typeof vaultConfigSchema>>;

/**
 * Members that Mayfly refuses in the body of a signing path: with them a template could make the credential outlive its
 * lease (I6).
 */
const LIFETIME_MEMBERS = ['ttl', 'max_ttl', 'not_after', 'valid_before'];

/** A rendered scope: one path, the method and the body of the request. */
export const VaultScopeSchema = z
  .strictObject({
    path: PathSchema,
    method: z.enum(['read', 'write']),
    body: z.record(z.string().min(1).max(128), z.json()).optional(),
    /**
     * the `postgres` connection to the database whose users the engine makes; Mayfly then ends their sessions itself
     */
    endSessions: z.string().min(1).max(63).optional(),
  })
  .refine(({ method, body }) => method === 'write' || body === undefined, {
    path: ['body'],
    message: 'the method `read` sends no body; use `write`',
  })
  .refine(({ path, method }) => !isSigningPath(path) || method === 'write', {
    path: ['method'],
    message: 'a signing path needs the method `write`; use it',
  })
  .refine(
    ({ path, body }) => !isSigningPath(path) || LIFETIME_MEMBERS.every((member) => !Object.hasOwn(body ?? {}, member)),
    {
      path: ['body'],
      message: `leave ${LIFETIME_MEMBERS.join(', ')} out; the lease sets the lifetime`,
    },
  )
  .refine(({ path, endSessions }) => !isSigningPath(path) || endSessions === undefined, {
    path: ['endSessions'],
    message: 'a signed credential has no database sessions; leave `endSessions` out',
  });
export type VaultScope = z.infer<typeof VaultScopeSchema>;

/** Input of revocation. Mayfly records it before the mint and completes it during the mint. */
export const VaultHandleSchema = z.strictObject({
  /** the lease's id, also in the metadata of its token */
  lease: z.string().regex(/^lse_[0-9a-z]{26}$/),
  path: PathSchema,
  method: z.enum(['read', 'write']),
  /** the policy of the lease's token, which allows this path only */
  policy: z.string().regex(/^mayfly-[0-9a-f]{40}$/),
  /** the instant from which the server cannot be working on a call of the mint any more */
  quietFrom: z.iso.datetime(),
  issuedAt: z.iso.datetime(),
  /** the explicit end of the token; Mayfly refuses a renewal beyond it */
  furthest: z.iso.datetime(),
  accessor: z.string().min(1).max(256).optional(),
  /** the engine's answer: a lease, a signed credential or a refusal; absent until it is known */
  answer: z.enum(['lease', 'signed', 'nothing']).optional(),
  leaseId: z.string().min(1).max(1024).optional(),
  username: z.string().min(1).max(256).optional(),
  userOid: z
    .string()
    .regex(/^\d{1,10}$/)
    .optional(),
  endSessions: z.string().min(1).max(63).optional(),
});
export type VaultHandle = z.infer<typeof VaultHandleSchema>;
