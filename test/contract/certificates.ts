import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A private authority and a server certificate that it signed, all as PEM. */
export interface SignedCertificate {
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
}

/** Creates a certificate that is valid for the host `name` only. */
export function signedCertificate(name: string): SignedCertificate {
  const home = mkdtempSync(join(tmpdir(), 'mayfly-certificates-'));
  const openssl = (...words: string[]): void => void execFileSync('openssl', words, { cwd: home, stdio: 'ignore' });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl(
    'req',
    '-x509',
    ...newKey,
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
    '-subj',
    '/CN=Authority of a spec',
    '-days',
    '2',
  );
  openssl('req', ...newKey, '-keyout', 'server.key', '-out', 'server.csr', '-subj', `/CN=${name}`);
  writeFileSync(join(home, 'server.ext'), `subjectAltName=DNS:${name}\n`);
  const signing = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', 'server.ext'];
  openssl('x509', '-req', '-in', 'server.csr', '-out', 'server.pem', ...signing);
  const [authority, certificate, key] = ['ca.pem', 'server.pem', 'server.key'].map((file) =>
    readFileSync(join(home, file), 'utf8'),
  );
  rmSync(home, { recursive: true });
  return { authority: authority!, certificate: certificate!, key: key! };
}
