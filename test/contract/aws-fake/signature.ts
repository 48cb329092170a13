import { createHash, createHmac } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** The signature of a request (AWS General Reference, Signature Version 4). */
export interface Signature {
  readonly accessKeyId: string;
  readonly scope: string;
  readonly service: string;
  readonly token: string | undefined;
  readonly at: Date;
  /** True when this key made the signature over exactly this request. */
  isMadeWith(secretAccessKey: string, body: Buffer): boolean;
}

const FORM =
  /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8}\/[^/]+\/([^/]+)\/aws4_request), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/;

/** Reads the signature of a request; undefined without one. */
export function signatureOf(request: IncomingMessage): Signature | undefined {
  const [, accessKeyId, scope, service, signedHeaders, signature] =
    FORM.exec(request.headers.authorization ?? '') ?? [];
  const date = header(request, 'x-amz-date');
  if (accessKeyId === undefined || scope === undefined || service === undefined || date === '') return undefined;
  const isMadeWith = (secretAccessKey: string, body: Buffer): boolean => {
    const toSign = ['AWS4-HMAC-SHA256', date, scope, sha256(canonical(request, signedHeaders ?? '', body))].join('\n');
    const key = scope
      .split('/')
      .reduce<Buffer | string>((secret, part) => hmac(secret, part), `AWS4${secretAccessKey}`);
    return hmac(key, toSign).toString('hex') === signature;
  };
  const token = header(request, 'x-amz-security-token');
  const at = new Date(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
  return { accessKeyId, scope, service, token: token === '' ? undefined : token, at, isMadeWith };
}

function canonical(request: IncomingMessage, signedHeaders: string, body: Buffer): string {
  const [path = '/', query = ''] = (request.url ?? '/').split('?');
  const headers = signedHeaders
    .split(';')
    .map((name) => `${name}:${header(request, name).trim().replaceAll(/ +/g, ' ')}\n`);
  const stated = header(request, 'x-amz-content-sha256');
  const payload = stated === '' ? sha256(body) : stated;
  const isWhole = !/^[0-9a-f]{64}$/.test(stated) || stated === sha256(body);
  return [
    request.method,
    path,
    canonicalQuery(query),
    headers.join(''),
    signedHeaders,
    isWhole ? payload : 'tampered',
  ].join('\n');
}

function canonicalQuery(query: string): string {
  return query
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => {
      const [key = '', value = ''] = pair.split('=');
      return `${encoded(key)}=${encoded(value)}`;
    })
    .sort()
    .join('&');
}

function encoded(text: string): string {
  return encodeURIComponent(decodeURIComponent(text)).replaceAll(
    /[!'()*]/g,
    (part) => `%${part.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function header(request: IncomingMessage, name: string): string {
  return [request.headers[name] ?? ''].flat().join(',');
}

function sha256(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

function hmac(key: string | Buffer, content: string): Buffer {
  return createHmac('sha256', key).update(content).digest();
}
