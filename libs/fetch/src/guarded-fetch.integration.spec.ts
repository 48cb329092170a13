import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { AllowList, EgressRefused, PublicEgress, type ResolveHost } from '@mayfly/egress';
import type { ServerTrust } from '@mayfly/identity';
import { TestAuthority, type CertificateOrder } from '@mayfly/testing';
import { createGuardedFetch, createGuardedPost } from './guarded-fetch.js';

const pages: Record<string, (response: ServerResponse) => void> = {
  '/keys': (response) => response.end('{"keys":[]}'),
  '/moved': (response) => response.writeHead(302, { location: '/keys' }).end('{"keys":[]}'),
  '/missing': (response) => response.writeHead(404).end('{}'),
  '/empty': (response) => response.writeHead(204).end(),
  '/html': (response) => response.end('<html>'),
  '/large': (response) => response.end(JSON.stringify('x'.repeat(1000))),
  '/bomb': (response) =>
    response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(JSON.stringify('x'.repeat(100_000)))),
  '/packed': (response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('{"keys":[]}')),
  '/slow': (response) => response.write('{'),
  '/silent': () => undefined,
};

let server: Server;
let base: string;
let asked: string[];
/** the method, the headers and the body of the last request */
let last: { readonly method: string | undefined; readonly headers: IncomingHttpHeaders; readonly body: string };

beforeAll(async () => {
  server = createServer((request, response) => {
    asked.push(request.url ?? '');
    void text(request).then((body) => {
      last = { method: request.method, headers: request.headers, body };
      pages[request.url ?? '']?.(response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

beforeEach(() => {
  asked = [];
});

const allowing = (text: string): PublicEgress => new PublicEgress(AllowList.read(text));
const trusting = createGuardedFetch({ egress: allowing('http://127.0.0.1'), maxBytes: 1000, timeoutMs: 1500 });
const leadingTo =
  (...addresses: string[]): ResolveHost =>
  (_host, _options, resolved) => {
    resolved(
      null,
      addresses.map((address) => ({ address, family: 4 })),
    );
  };

describe('a guarded fetch', () => {
  it.each(['/keys', '/packed'])(
    'a guarded fetch gives the JSON at %s of a host that the operator allows',
    async (path) => {
      await expect(trusting(`${base}${path}`)).resolves.toEqual({ keys: [] });
    },
  );

  it.each([
    ['a redirect', '/moved', 'status 302'],
    ['an error', '/missing', 'status 404'],
    ['an empty answer', '/empty', 'status 204'],
    ['what is no JSON', '/html', 'JSON'],
    ['a body over the bound', '/large', 'more than 1000 bytes'],
    ['a body that is over the bound once unpacked', '/bomb', 'more than 1000 bytes'],
    ['a body that never ends', '/slow', 'timeout'],
    ['a server that says nothing', '/silent', 'timeout'],
  ])('a guarded fetch refuses %s', async (_, path, words) => {
    await expect(trusting(`${base}${path}`)).rejects.toThrow(words);
    expect(asked).toEqual([path]);
  });

  it.each([
    ['http', ''],
    ['a host like one that is allowed', 'http://127.0.0.10'],
    ['another port than the one that is allowed', 'http://127.0.0.1:1'],
  ])('a guarded fetch does not ask a server over %s', async (_, entries) => {
    await expect(createGuardedFetch({ egress: allowing(entries) })(`${base}/keys`)).rejects.toThrow('use https');
    expect(asked).toEqual([]);
  });

  it.each([
    ['a private address', ['10.0.0.1'], 'rule `private`'],
    ['one metadata address among public ones', ['1.1.1.1', '169.254.169.254'], 'no setting allows it'],
  ])('a guarded fetch does not connect to a name that has %s, which is no outage', async (_, addresses, words) => {
    const guarded = createGuardedFetch({ egress: new PublicEgress(), resolveHost: leadingTo(...addresses) });
    const refused = guarded('https://id.example/keys');
    await expect(refused).rejects.toMatchObject({ code: 'EGRESS_REFUSED', message: expect.stringContaining(words) });
  });

  it('a guarded fetch connects to the very addresses that it judged', async () => {
    const { port } = new URL(base);
    const egress = allowing('http://id.example, 127.0.0.0/8');
    const guarded = createGuardedFetch({ egress, resolveHost: leadingTo('127.0.0.1') });
    await expect(guarded(`http://id.example:${port}/keys`)).resolves.toEqual({ keys: [] });
  });

  it('a guarded fetch does not wait for a resolver that never answers', async () => {
    const guarded = createGuardedFetch({ egress: new PublicEgress(), timeoutMs: 50, resolveHost: () => undefined });
    await expect(guarded('https://id.example/keys')).rejects.toThrow('in time');
  });

  it('a guarded fetch asks the resolver of the system otherwise', async () => {
    const guarded = createGuardedFetch({ egress: new PublicEgress() });
    await expect(guarded('https://localhost/keys')).rejects.toMatchObject({ rule: 'loopback' });
  });
});

describe('a guarded fetch over TLS', () => {
  const authority = new TestAuthority();
  const intermediate = new TestAuthority('intermediate', authority);
  const stranger = new TestAuthority('stranger');
  const servers: TlsServer[] = [];
  afterAll(() => {
    for (const each of servers) each.closeAllConnections();
    for (const each of servers) each.close();
  });

  /** Asks a server that shows a certificate of this order. */
  async function ask(order: CertificateOrder, trust: ServerTrust, by = authority): Promise<unknown> {
    const { cert, key } = by.issue(order);
    const chain = by === intermediate ? cert + intermediate.cert : cert;
    const secure = createTlsServer({ cert: chain, key }, (_request, response) => response.end('{"keys":[]}'));
    servers.push(secure);
    await new Promise<void>((resolve) => secure.listen(0, '127.0.0.1', resolve));
    const guarded = createGuardedFetch({ egress: allowing('127.0.0.1') });
    return guarded(`https://127.0.0.1:${String((secure.address() as AddressInfo).port)}/keys`, trust);
  }

  const loopback = { names: ['IP:127.0.0.1'] };
  it('a guarded fetch over TLS trusts the authorities that are given for the name in the URL', async () => {
    await expect(ask(loopback, { authorities: [stranger.cert, authority.cert] })).resolves.toEqual({ keys: [] });
  });

  it.each<[string, CertificateOrder, ServerTrust, string]>([
    ['of an authority that nobody gave', loopback, {}, 'give it in `caFile`'],
    ['of another authority than the given ones', loopback, { authorities: [stranger.cert] }, 'not trusted'],
    ['for another name', { names: ['DNS:id.example'] }, { authorities: [authority.cert] }, 'for another name'],
  ])('a guarded fetch over TLS refuses a certificate %s', async (_, order, trust, words) => {
    await expect(ask(order, trust)).rejects.toThrow(words);
  });

  const spiffeId = 'spiffe://example.org/spire/server';
  const mesh: ServerTrust = { authorities: [authority.cert], spiffeId };
  it('a guarded fetch over TLS knows a server by its SPIFFE ID, whatever the name in the URL', async () => {
    await expect(ask({ names: [`URI:${spiffeId}`] }, mesh)).resolves.toEqual({ keys: [] });
    await expect(ask({ names: ['DNS:spire', `URI:${spiffeId}`] }, mesh)).resolves.toEqual({ keys: [] });
  });

  it('a guarded fetch over TLS takes a chain over an intermediate, and an intermediate as the anchor', async () => {
    const order = { names: [`URI:${spiffeId}`] };
    await expect(ask(order, mesh, intermediate)).resolves.toEqual({ keys: [] });
    await expect(ask(order, { spiffeId, authorities: [intermediate.cert] }, intermediate)).resolves.toEqual({
      keys: [],
    });
  });

  it.each<[string, CertificateOrder, TestAuthority, string]>([
    ['another SPIFFE ID', { names: ['URI:spiffe://example.org/workload'] }, authority, 'another SPIFFE ID'],
    ['the ID of another trust domain', { names: ['URI:spiffe://evil.example/spire/server'] }, authority, 'another'],
    ['no SPIFFE ID but the right name', { names: ['IP:127.0.0.1'] }, authority, 'another SPIFFE ID (none)'],
    ['a DNS name that looks like the ID', { names: [`DNS:${spiffeId}`] }, authority, 'another SPIFFE ID (none)'],
    ['two URIs', { names: [`URI:${spiffeId}`, 'URI:spiffe://example.org/b'] }, authority, 'more than one URI'],
    ['the ID from another authority', { names: [`URI:${spiffeId}`] }, stranger, 'not trusted'],
    [
      'the ID as an authority',
      { names: [`URI:${spiffeId}`], isAuthority: true },
      authority,
      'not a server certificate',
    ],
  ])('a guarded fetch over TLS refuses a server with %s', async (_, order, by, words) => {
    await expect(ask(order, mesh, by)).rejects.toThrow(words);
  });
});

describe('a guarded post', () => {
  const posting = createGuardedPost({ egress: allowing('http://127.0.0.1'), maxBytes: 1000, timeoutMs: 1500 });

  it('a guarded post sends JSON and a bearer token, and gives the JSON of the answer', async () => {
    await expect(posting(`${base}/keys`, { decide: 'é' }, 'secret')).resolves.toEqual({ keys: [] });
    expect(last).toMatchObject({ method: 'POST', body: '{"decide":"é"}' });
    expect(last.headers).toMatchObject({ 'content-type': 'application/json', authorization: 'Bearer secret' });
    await posting(`${base}/keys`, {}, undefined);
    expect(last.headers.authorization).toBeUndefined();
  });

  it.each([
    ['a redirect, which it does not follow', '/moved', 'status 302'],
    ['an error', '/missing', 'status 404'],
    ['what is no JSON', '/html', 'JSON'],
    ['a body over the bound', '/large', 'more than 1000 bytes'],
    ['a server that says nothing', '/silent', 'timeout'],
  ])('a guarded post refuses %s', async (_, path, words) => {
    await expect(posting(`${base}${path}`, {}, 'canary')).rejects.toThrow(words);
    expect(asked).toEqual([path]);
  });

  it('a guarded post reaches no address that the operator does not allow', async () => {
    const strict = createGuardedPost({ egress: new PublicEgress() });
    await expect(strict(`${base}/keys`, {}, 'canary')).rejects.toBeInstanceOf(EgressRefused);
    expect(asked).toEqual([]);
  });
});
