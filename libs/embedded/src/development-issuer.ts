import { createPrivateKey, createPublicKey, generateKeyPairSync, randomUUID, type KeyObject } from 'node:crypto';
import { join } from 'node:path';
import { type IssuerSpecSchema, type Role, RoleSchema } from '@mayfly/identity';
import { type Clock, Problem } from '@mayfly/kernel';
import { calculateJwkThumbprint, SignJWT } from 'jose';
import type { z } from 'zod';
import { makeDataDirectory } from './postgres/account.js';
import { readIfPresent, readOrCreateSecretFile } from './secret-file.js';

/** The subject of a token to issue. `subject` tells apart several people with one role; default `dev-<role>`. */
export type DevelopmentTokenOrder =
  { readonly agent: string } | { readonly role: Role; readonly subject?: string } | { readonly resourceServer: string };

type IssuerSpecInput = z.input<typeof IssuerSpecSchema>;

/** A declared Issuer in the form of a YAML file, with its public keys pinned. */
export interface DevelopmentIssuerDocument {
  readonly kind: 'Issuer';
  readonly metadata: { readonly name: string };
  readonly spec: IssuerSpecInput;
}

/** Replaces a company's identity provider on a developer's machine. */
export interface DevelopmentIssuer {
  /** `development` is the issuer of workloads, `development-staff` the issuer of people. */
  readonly documents: readonly DevelopmentIssuerDocument[];
  /** Returns a compact JWT (EdDSA, audience `mayfly`, one hour). */
  issueToken(order: DevelopmentTokenOrder): Promise<string>;
}

export interface DevelopmentIssuerOptions {
  /** true under `NODE_ENV=production`, where the issuer is refused */
  readonly production: boolean;
  /** true when missing keys may be created; only the service does so, so that a directory has one issuer */
  readonly create?: boolean;
  readonly clock?: Clock;
}

type Voice = 'development' | 'development-staff';

type PublicJwk = NonNullable<IssuerSpecInput['keys']['jwks']>['keys'][number];

interface Key {
  readonly privateKey: KeyObject;
  readonly kid: string;
  readonly publicJwk: PublicJwk;
}

const AUDIENCE = 'mayfly';
const LIFETIME_SECONDS = 3600;
const issuerOf = (voice: Voice) => `urn:mayfly:${voice}`;

/**
 * Returns the development issuer of a data directory. Its private keys are in `development-issuer.json` (mode 0600),
 * created on first use with `create`; processes that race to create them all use the same keys. A reader of that file
 * can impersonate anyone, so production throws `forbidden`. Throws `not_found` when there is no issuer and `create` is
 * not set.
 */
export async function developmentIssuer(
  dataDir: string,
  options: DevelopmentIssuerOptions,
): Promise<DevelopmentIssuer> {
  if (options.production) {
    throw new Problem(
      'forbidden',
      'the development issuer does not exist in production: declare an Issuer of your own',
    );
  }
  const clock = options.clock ?? { now: () => new Date() };
  const keys = JSON.parse(storedKeys(dataDir, options.create ?? false)) as Record<Voice, string>;
  const workloads = await readKey(keys.development);
  const staff = await readKey(keys['development-staff']);
  const roles = Object.fromEntries(RoleSchema.options.map((role) => [role, { claim: 'roles', values: [role] }]));
  return {
    documents: [document('development', workloads), document('development-staff', staff, roles)],
    issueToken: (order) =>
      'role' in order
        ? sign('development-staff', staff, clock, order.subject ?? `dev-${order.role}`, { roles: [order.role] })
        : sign(
            'development',
            workloads,
            clock,
            'agent' in order ? order.agent : `resource-server/${order.resourceServer}`,
          ),
  };
}

function storedKeys(dataDir: string, create: boolean): string {
  const path = join(dataDir, 'development-issuer.json');
  if (create) {
    makeDataDirectory(dataDir);
    return readOrCreateSecretFile(path, makeKeys).content;
  }
  const present = readIfPresent(path);
  if (present !== undefined) return present;
  throw new Problem(
    'not_found',
    `there is no development issuer in ${dataDir}: start the service first, or set MAYFLY_DATA_DIR to its data directory`,
  );
}

function makeKeys(): string {
  const make = () => generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' });
  return JSON.stringify({ development: make(), 'development-staff': make() } satisfies Record<Voice, unknown>);
}

/** The key's id is its thumbprint (RFC 7638). */
async function readKey(pem: string): Promise<Key> {
  const privateKey = createPrivateKey(pem);
  const publicJwk = createPublicKey(privateKey).export({ format: 'jwk' });
  const kid = await calculateJwkThumbprint(publicJwk);
  return { privateKey, kid, publicJwk: { ...publicJwk, kty: 'OKP', kid, alg: 'EdDSA', use: 'sig' } };
}

function document(voice: Voice, key: Key, roles?: IssuerSpecInput['roles']): DevelopmentIssuerDocument {
  return {
    kind: 'Issuer',
    metadata: { name: voice },
    spec: {
      profile: 'oidc',
      issuer: issuerOf(voice),
      audiences: [AUDIENCE],
      algorithms: ['EdDSA'],
      keys: { jwks: { keys: [key.publicJwk] } },
      ...(roles && { roles }),
    },
  };
}

function sign(
  voice: Voice,
  key: Key,
  clock: Clock,
  subject: string,
  claims: Record<string, unknown> = {},
): Promise<string> {
  const issuedAt = Math.floor(clock.now().getTime() / 1000);
  return new SignJWT(claims)
    .setProtectedHeader({ alg: 'EdDSA', kid: key.kid, typ: 'JWT' })
    .setIssuer(issuerOf(voice))
    .setAudience(AUDIENCE)
    .setSubject(subject)
    .setJti(randomUUID())
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + LIFETIME_SECONDS)
    .sign(key.privateKey);
}
