import { isIPv6 } from 'node:net';
import { isSecretReference } from '@mayfly/credentials';
import { z } from 'zod';

const VERBS = ['select', 'insert', 'update', 'delete'] as const;

const areUnique = (items: readonly string[]): boolean => new Set(items).size === items.length;

/** A name as PostgreSQL keeps it: at most 63 bytes, since a longer one is cut silently and may then name another thing. */
const IdentifierSchema = z
  .string()
  .min(1)
  .refine((name) => Buffer.byteLength(name) <= 63, 'use at most 63 bytes')
  .refine((name) => !name.includes('\0') && Buffer.from(name).toString() === name, 'use well-formed text without NUL');

const SchemaNameSchema = IdentifierSchema.refine(
  (name) => !name.startsWith('pg_') && name !== 'information_schema',
  'name a schema of yours; the catalogs of the server are never granted',
);

/** A name or an address, as libpq takes it: the port stands beside it, and no brackets are around it. */
const HostSchema = z
  .string()
  .min(1)
  .max(253)
  .refine(
    (host) => /^\/[^\s?#]*$/.test(host) || !/[\s/@?#[\]%]/.test(host),
    'write the host alone, such as `db.example`, `10.0.0.7` or `::1`',
  )
  .refine((host) => !host.includes(':') || isIPv6(host), 'write the port as `port`, beside `host`');

const AuthoritySchema = z
  .string()
  .max(65_536)
  .refine(
    (text) => isSecretReference(text) || /^-----BEGIN CERTIFICATE-----/m.test(text),
    'use a certificate in PEM form, or a reference to one (`file:NAME`)',
  );

const PortSchema = z.int().min(1).max(65_535);

/** `Connection.spec.config` of a PostgreSQL database; `docs/connect-postgres.md` has the SQL of the role in `url`. */
export const PostgresConfigSchema = z.strictObject({
  /** `postgresql://user:password@host:port/database` of the role that makes and removes lease roles */
  url: z
    .string()
    .max(2048)
    .refine(
      (url) => isSecretReference(url) || /^postgres(ql)?:\/\//.test(url),
      'use a postgresql:// URL or a reference',
    ),
  /** the role that the login works as; with it, every login that may take the role can end what another one made */
  role: IdentifierSchema.optional(),
  /** rounds of the SCRAM verifiers; ADR 0004 says when 1 is right */
  scramIterations: z.int().min(1).max(100_000).default(4096),
  /** connections that one lease may hold open at a time */
  maxConnections: z.int().min(1).max(1000).default(5),
  /** connections that all leases of the server may hold open together; by default what the server has, less a reserve */
  connectionCapacity: z.int().min(1).max(1_000_000).optional(),
  /** mint at a server where leases may prepare transactions, although the end of leases cannot be promised there */
  acceptPreparedTransactions: z.boolean().optional(),
  /** what the agent is told, where it does not reach the database by the host and port of `url` */
  address: z.strictObject({ host: HostSchema, port: PortSchema }).optional(),
  /** the certificate of the authority that signed the server's, as PEM: for `sslmode=verify-ca` and `verify-full` */
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

/** What revocation needs. The patterns make sure that only roles of Mayfly's making are ever dropped. */
export const PostgresHandleSchema = z.strictObject({
  role: z.string().regex(/^mayfly_[0-9a-z]{26}$/),
  scopeRole: z.string().regex(/^mayfly_scope_[0-9a-f]{40}$/),
  /** which server and database the role was made at (`ServerFacts.identity`); unknown until the mint was answered */
  target: z.string().max(64).optional(),
  /** the creator role that made it, where there was one */
  maker: z.string().max(63).optional(),
});
export type PostgresHandle = z.infer<typeof PostgresHandleSchema>;
