import { generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';

/** The order for a certificate. */
export interface CertificateOrder {
  /** the names in the SAN, such as `URI:spiffe://example.org/server`, `DNS:localhost` and `IP:127.0.0.1` */
  readonly names?: readonly string[];
  /** true for an authority, which may sign other certificates */
  readonly isAuthority?: boolean;
}

/** A certificate with its private key, both in PEM, as TLS servers take them. */
export interface IssuedCertificate {
  readonly cert: string;
  readonly key: string;
  readonly privateKey: KeyObject;
}

const DAY_MS = 86_400_000;

/**
 * A certificate authority for TLS tests: EC P-256, valid from yesterday to tomorrow. Makes real X.509 certificates (RFC
 * 5280) without an external tool.
 */
export class TestAuthority {
  readonly own: IssuedCertificate;

  constructor(
    readonly name = 'test authority',
    parent?: TestAuthority,
  ) {
    this.own = (parent ?? this).certify(name, { isAuthority: true });
  }

  /** The certificate of the authority, in PEM. */
  get cert(): string {
    return this.own.cert;
  }

  /** The authority as an entry of a SPIFFE bundle. */
  get bundleEntry(): Record<string, unknown> {
    return { kty: 'EC', use: 'x509-svid', x5c: [this.cert.replace(/-----[^-]+-----|\s/g, '')] };
  }

  issue(order: CertificateOrder): IssuedCertificate {
    return this.certify('test server', order);
  }

  private certify(subject: string, { names = [], isAuthority = false }: CertificateOrder): IssuedCertificate {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const signer = (this.own as IssuedCertificate | undefined)?.privateKey ?? privateKey;
    const now = Date.now();
    const tbs = sequence(
      der(0xa0, integer(Buffer.from([2]))),
      integer(Buffer.concat([Buffer.from([1]), randomBytes(8)])),
      ECDSA_SHA256,
      distinguished(this.name),
      sequence(time(now - DAY_MS), time(now + DAY_MS)),
      distinguished(subject),
      publicKey.export({ type: 'spki', format: 'der' }),
      der(0xa3, sequence(...extensions(names, isAuthority))),
    );
    const signed = sequence(tbs, ECDSA_SHA256, bits(sign('sha256', tbs, signer)));
    const key = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
    return { cert: pem(signed), key, privateKey };
  }
}

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

const sequence = (...parts: readonly Buffer[]): Buffer => der(0x30, ...parts);
const integer = (value: Buffer): Buffer => der(0x02, value);
const bits = (value: Buffer): Buffer => der(0x03, Buffer.from([0]), value);
const octets = (value: Buffer): Buffer => der(0x04, value);
const oid = (...bytes: readonly number[]): Buffer => der(0x06, Buffer.from(bytes));
const TRUE = der(0x01, Buffer.from([0xff]));
const ECDSA_SHA256 = sequence(oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02));

function distinguished(name: string): Buffer {
  return sequence(der(0x31, sequence(oid(0x55, 0x04, 0x03), der(0x0c, Buffer.from(name)))));
}

function time(milliseconds: number): Buffer {
  const text = new Date(milliseconds)
    .toISOString()
    .replace(/\.\d+|[-:T]/g, '')
    .slice(2);
  return der(0x17, Buffer.from(text));
}

function extensions(names: readonly string[], isAuthority: boolean): Buffer[] {
  const constraints = sequence(oid(0x55, 0x1d, 0x13), TRUE, octets(isAuthority ? sequence(TRUE) : sequence()));
  // keyCertSign and cRLSign for an authority; digitalSignature for a server
  const usage = sequence(
    oid(0x55, 0x1d, 0x0f),
    TRUE,
    octets(der(0x03, Buffer.from(isAuthority ? [1, 0x06] : [7, 0x80]))),
  );
  if (names.length === 0) return [constraints, usage];
  return [constraints, usage, sequence(oid(0x55, 0x1d, 0x11), octets(sequence(...names.map(generalName))))];
}

function generalName(name: string): Buffer {
  const [kind, ...rest] = name.split(':');
  const value = rest.join(':');
  if (kind === 'IP') return der(0x87, Buffer.from(value.split('.').map(Number)));
  return der(kind === 'URI' ? 0x86 : 0x82, Buffer.from(value));
}

function pem(certificate: Buffer): string {
  const lines = certificate.toString('base64').match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
}
