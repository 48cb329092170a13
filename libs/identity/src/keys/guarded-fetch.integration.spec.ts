import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createGuardedFetch } from './guarded-fetch.js';

const pages: Record<string, (response: ServerResponse) => void> = {
  '/keys': (response) => response.end('{"keys":[]}'),
  '/moved': (response) => response.writeHead(302, { location: '/keys' }).end('{"keys":[]}'),
  '/missing': (response) => response.writeHead(404).end('{}'),
  '/empty': (response) => response.writeHead(204).end(),
  '/html': (response) => response.end('<html>'),
  '/large': (response) => response.end(JSON.stringify('x'.repeat(1000))),
  '/bomb': (response) =>
    response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(JSON.stringify('x'.repeat(100_000)))),
  '/slow': (response) => response.write('{'),
  '/silent': () => undefined,
};

let server: Server;
let base: string;
let asked: string[];

beforeAll(async () => {
  server = createServer((request, response) => {
    asked.push(request.url ?? '');
    pages[request.url ?? '']?.(response);
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

const trusting = createGuardedFetch({ egress: { trustedHosts: ['127.0.0.1'] }, maxBytes: 1000, timeoutMs: 300 });

describe('a guarded fetch', () => {
  it('gives the JSON of a host that the operator vouches for', async () => {
    await expect(trusting(`${base}/keys`)).resolves.toEqual({ keys: [] });
  });

  it.each([
    ['a redirect', '/moved', 'status 302'],
    ['an error', '/missing', 'status 404'],
    ['an empty answer', '/empty', 'status 204'],
    ['what is no JSON', '/html', 'JSON'],
    ['a body over the bound', '/large', 'more than 1000 bytes'],
    ['a body that is over the bound once unpacked', '/bomb', 'more than 1000 bytes'],
    ['a body that never ends', '/slow', 'timeout'],
    ['a server that says nothing', '/silent', 'timeout'],
  ])('refuses %s', async (_, path, words) => {
    await expect(trusting(`${base}${path}`)).rejects.toThrow(words);
    expect(asked).toEqual([path]);
  });

  it.each([
    ['http', { trustedHosts: [] }],
    ['a host like one that is trusted', { trustedHosts: ['127.0.0.10'] }],
  ])('does not ask a server over %s', async (_, egress) => {
    await expect(createGuardedFetch({ egress })(`${base}/keys`)).rejects.toThrow('refused to fetch: use https');
    expect(asked).toEqual([]);
  });

  it.each([
    ['a private address', ['10.0.0.1']],
    ['one private address among public ones', ['1.1.1.1', '169.254.169.254']],
    ['no address', []],
  ])('does not ask a name that has %s', async (_, addresses) => {
    const names: string[] = [];
    const guarded = createGuardedFetch({
      egress: { trustedHosts: [] },
      resolveHost: async (hostname) => {
        names.push(hostname);
        return addresses;
      },
    });
    await expect(guarded('https://id.example/keys')).rejects.toThrow('not public');
    expect(names).toEqual(['id.example']);
  });

  it('does not wait for a resolver that never answers', async () => {
    const guarded = createGuardedFetch({
      egress: { trustedHosts: [] },
      timeoutMs: 50,
      resolveHost: () => new Promise(() => undefined),
    });
    await expect(guarded('https://id.example/keys')).rejects.toThrow('not resolved in time');
  });

  it('asks the resolver of the system otherwise', async () => {
    const guarded = createGuardedFetch({ egress: { trustedHosts: [] } });
    await expect(guarded('https://localhost/keys')).rejects.toThrow('not public');
  });
});
