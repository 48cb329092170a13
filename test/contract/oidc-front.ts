import { execFileSync } from 'node:child_process';
import { createPrivateKey, generateKeyPairSync, randomUUID, type KeyObject } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportJWK, SignJWT } from 'jose';
import type { IdentityTokenOrder, IdentityTokens } from '@mayfly/credentials';

/** An OpenID Provider on loopback, like Mayfly. Its keys also carry the certificate that some engines require. */
export class OidcFront implements IdentityTokens {
  private readonly key: KeyObject;
  private server: Server | undefined;

  private constructor(private readonly certificate: string) {
    const { privateKey } = keyPair;
    this.key = createPrivateKey(privateKey);
  }

  static async start(): Promise<OidcFront> {
    const front = new OidcFront(selfSigned(keyPair.privateKey));
    const { n, e } = await exportJWK(front.key);
    const jwk = { kty: 'RSA', n, e, kid: 'one', use: 'sig', alg: 'RS256', x5c: [front.certificate] };
    const server = createServer((request, response) => {
      const isKeys = request.url === '/jwks.json';
      const discovery = {
        issuer: front.issuer,
        jwks_uri: `${front.issuer}/jwks.json`,
        id_token_signing_alg_values_supported: ['RS256'],
      };
      response.setHeader('content-type', 'application/json').end(JSON.stringify(isKeys ? { keys: [jwk] } : discovery));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    front.server = server;
    return front;
  }

  get issuer(): string {
    return `http://127.0.0.1:${String((this.server?.address() as AddressInfo).port)}`;
  }

  issue({ audience, subject, lifetimeSeconds, claims }: IdentityTokenOrder): Promise<string> {
    return new SignJWT({ ...claims })
      .setProtectedHeader({ alg: 'RS256', kid: 'one', typ: 'JWT' })
      .setIssuer(this.issuer)
      .setAudience(audience)
      .setSubject(subject)
      .setJti(randomUUID())
      .setIssuedAt()
      .setExpirationTime(Math.floor(Date.now() / 1000) + lifetimeSeconds)
      .sign(this.key);
  }

  async stop(): Promise<void> {
    await new Promise((resolve) => this.server?.close(resolve));
  }
}

const keyPair = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
});

/** Returns a self-signed certificate of a key for the `x5c` member of a JWK (RFC 7517 §4.7). */
function selfSigned(privateKey: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'mayfly-oidc-'));
  const file = join(folder, 'key.pem');
  writeFileSync(file, privateKey, { mode: 0o600 });
  const args = ['req', '-x509', '-new', '-key', file, '-subj', '/CN=mayfly', '-days', '2', '-outform', 'DER'];
  const certificate = execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'ignore'] }).toString('base64');
  rmSync(folder, { recursive: true });
  return certificate;
}
