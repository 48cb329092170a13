import { isIPv6 } from 'node:net';
import { isSecretReference } from '@mayfly/credentials';
import { z } from 'zod';

const VERBS = ['select', 'insert', 'update', 'delete'] as const;

const areUnique = (items: readonly string[]): boolean => new Set(items).size === items.length;

/** A name of at most 63 bytes: PostgreSQL silently cuts a longer one, which may then name another object. */
const IdentifierSchema = z
  .string()
  .min(1)
  .refine((name) => Buffer.byteLength(name) <= 63, 'use at most 63 bytes')
  .refine((name) => !name.includes('\0') && Buffer.from(name).toString() === name, 'use well-formed text without NUL');

const SchemaNameSchema = IdentifierSchema.refine(
  (name) => !name.startsWith('pg_') && name !== 'information_schema',
  'name a schema of your own; Mayfly never grants the catalogs of the server',
);

/** A host name, an address or a socket path in libpq's form: without port and brackets. */
const HostSchema = z
  .string()
  .min(1)
  .max(253)
  .refine(
    (host) => /^\/[^\s?#]*$/.test(host) || !/[\s/@?#[\]%]/.test(host),
    'write the host alone, such as `db.example`, `10.0.0.7` or `::1`',
  )
  .refine((host) => !host.includes(':') || isIPv6(host), 'write the port as `port`, next to `host`');

const AuthoritySchema = z
  .string()
  .max(65_536)
  .refine(
    (text) => isSecretReference(text) || /^-----BEGIN CERTIFICATE-----/m.test(text),
    'use a certificate in PEM form, or a reference to one (`file:NAME`)',
  );

const PortSchema = z.int().min(1).max(65_535);

/** `Connection.spec.config` of a PostgreSQL database; `docs/connect-postgres.md` has the SQL for the role in `url`. */
export const PostgresConfigSchema = z.strictObject({
  /** `postgresql://user:password@host:port/database` of the role that creates and drops lease roles */
  url: z
    .string()
    .max(2048)
    .refine(
      (url) => isSecretReference(url) || /^postgres(ql)?:\/\//.test(url),
      'use a postgresql:// URL or a reference',
    ),
  /** the role that the login works as; every login that may take this role can end the leases of the others */
  role: IdentifierSchema.optional(),
  /** rounds of the SCRAM verifiers; ADR 0004 says when 1 is right */
  scramIterations: z.int().min(1).max(100_000).default(4096),
  /** connections that one lease may hold open at a time */
  maxConnections: z.int().min(1).max(1000).default(5),
  /** connections that all leases of the server may hold together; default: the server's connections minus a reserve */
  connectionCapacity: z.int().min(1).max(1_000_000).optional(),
  /** mints at a server that allows prepared transactions, although a lease can then block the end of other leases */
  acceptPreparedTransactions: z.boolean().optional(),
  /** host and port for agents, when they cannot reach the database by those in `url` */
  address: z.strictObject({ host: HostSchema, port: PortSchema }).optional(),
  /** PEM certificate of the authority that signed the server's, for `sslmode=verify-ca` and `verify-full` */
  sslRootCert: AuthoritySchema.optional(),
});
export type PostgresConfig = z.infer<typeof PostgresConfigSchema>;

/** A rendered scope: the named tables and, on each, the named verbs; nothing else. */
export const PostgresScopeSchema = z.strictObject({
  grants: z
    .array(
      z.strictObject({
        schema: SchemaNameSchema,
        tables: z.array(IdentifierSchema).min(1).max(64).refine(areUnique, 'name each table once'),
        verbs: z.array(z.enum(VERBS)).min(1).refine(areUnique, 'name each verb once'),
      }),
    )
    .min(1)
    .max(32),
});
export type PostgresScope = z.infer<typeof PostgresScopeSchema>;

/** Input of revocation. The patterns ensure that revocation drops only roles that Mayfly made. */
export const PostgresHandleSchema = z.strictObject({
  role: z.string().regex(/^mayfly_[0-9a-z]{26}$/),
  scopeRole: z.string().regex(/^mayfly_scope_[0-9a-f]{40}$/),
  /** the server and database of the role (`ServerFacts.identity`); unknown until the mint succeeds */
  target: z.string().max(64).optional(),
  /** the creator role that made it, if any */
  maker: z.string().max(63).optional(),
});
export type PostgresHandle = z.infer<typeof PostgresHandleSchema>;
