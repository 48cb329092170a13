import { constants, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { IssuerSpecSchema, type IdentityAlgorithm, type IssuerSpec, type TrustedIssuer } from '@mayfly/identity';
import type { Clock, JsonObject } from '@mayfly/kernel';

export interface FakeIssuerOptions {
  readonly clock: Clock;
  readonly issuer?: string;
  readonly audience?: string;
  readonly algorithm?: IdentityAlgorithm;
}

const TOKEN_SECONDS = 300;

/**
 * An identity issuer with real keys. It signs valid tokens and, for attacks, any bytes that a test gives it. It signs
 * with node:crypto alone, so verifier and signer share no code.
 */
export class FakeIssuer {
  readonly issuer: string;
  readonly audience: string;
  readonly algorithm: IdentityAlgorithm;
  private readonly clock: Clock;
  private generation = 1;
  private keys: { publicKey: KeyObject; privateKey: KeyObject };

  constructor(options: FakeIssuerOptions) {
    this.clock = options.clock;
    this.issuer = options.issuer ?? 'https://ci.example';
    this.audience = options.audience ?? 'mayfly';
    this.algorithm = options.algorithm ?? 'ES256';
    this.keys = newKeys(this.algorithm);
  }

  get kid(): string {
    return `key-${String(this.generation)}`;
  }

  get publicKey(): KeyObject {
    return this.keys.publicKey;
  }

  get privateKey(): KeyObject {
    return this.keys.privateKey;
  }

  /** Returns the published keys: only the current one. */
  jwks(): { keys: JsonObject[] } {
    const jwk = this.publicKey.export({ format: 'jwk' }) as JsonObject;
    return { keys: [{ ...jwk, kid: this.kid, alg: this.algorithm }] };
  }

  /** Returns the issuer record with this issuer's keys pinned; `spec` replaces members. */
  trusted(name: string, spec: Partial<Record<keyof IssuerSpec, unknown>> = {}): TrustedIssuer {
    const declared = {
      profile: 'oidc',
      issuer: this.issuer,
      audiences: [this.audience],
      algorithms: [this.algorithm],
      keys: { jwks: this.jwks() },
      ...spec,
    };
    return { name, spec: IssuerSpecSchema.parse(declared) };
  }

  /** Makes a new key with a new kid, which signs all later tokens. */
  rotate(): void {
    this.generation += 1;
    this.keys = newKeys(this.algorithm);
  }

  /** Signs a token that expires in five minutes. Omits a claim or header given as undefined. */
  sign(claims: JsonObject = {}, header: JsonObject = {}): string {
    const now = Math.floor(this.clock.now().getTime() / 1000);
    const times = { iat: now, exp: now + TOKEN_SECONDS };
    return this.signText(
      JSON.stringify({ alg: this.algorithm, kid: this.kid, typ: 'JWT', ...header }),
      JSON.stringify({ iss: this.issuer, sub: 'support-agent', aud: this.audience, ...times, ...claims }),
    );
  }

  /** Signs exactly these bytes, valid token or not. */
  signText(header: string, payload: string): string {
    const input = `${encode(header)}.${encode(payload)}`;
    return `${input}.${signBytes(this.algorithm, this.privateKey, Buffer.from(input)).toString('base64url')}`;
  }
}

function encode(text: string): string {
  return Buffer.from(text).toString('base64url');
}

function newKeys(algorithm: IdentityAlgorithm): { publicKey: KeyObject; privateKey: KeyObject } {
  switch (algorithm) {
    case 'ES256':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' });
    case 'ES384':
      return generateKeyPairSync('ec', { namedCurve: 'P-384' });
    case 'RS256':
    case 'PS256':
      return generateKeyPairSync('rsa', { modulusLength: 2048 });
    case 'EdDSA':
    case 'Ed25519':
      return generateKeyPairSync('ed25519');
  }
}

/** Signs by RFC 7518 §3.3 to §3.5 and RFC 8037 §3.1. */
function signBytes(algorithm: IdentityAlgorithm, key: KeyObject, bytes: Buffer): Buffer {
  switch (algorithm) {
    case 'ES256':
      return sign('sha256', bytes, { key, dsaEncoding: 'ieee-p1363' });
    case 'ES384':
      return sign('sha384', bytes, { key, dsaEncoding: 'ieee-p1363' });
    case 'RS256':
      return sign('sha256', bytes, key);
    case 'PS256':
      return sign('sha256', bytes, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 });
    case 'EdDSA':
    case 'Ed25519':
      return sign(null, bytes, key);
  }
}
