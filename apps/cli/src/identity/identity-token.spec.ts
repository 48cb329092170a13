import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { IdentityPlaces } from '../config.js';
import { ActionsToken } from './actions-token.js';
import { identityToken } from './identity-token.js';

const none: IdentityPlaces = {
  token: undefined,
  tokenFile: undefined,
  idToken: undefined,
  actions: undefined,
  spiffeFile: undefined,
};
const jwt = (name: string): string => `${name}.${name}.${name}`;

let directory: string;
const file = (name: string): string => join(directory, name);
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'mayfly-identity-'));
  for (const name of ['named', 'pod', 'svid']) writeFileSync(file(name), `${jwt(name)}\n`);
});
afterAll(() => {
  rmSync(directory, { recursive: true });
});

describe('the identity token', () => {
  it.each<[string, () => Partial<IdentityPlaces>, boolean]>([
    ['given', () => ({ token: jwt('given'), tokenFile: file('named'), idToken: jwt('gitlab') }), true],
    ['named', () => ({ tokenFile: file('named'), idToken: jwt('gitlab') }), true],
    ['pod', () => ({ idToken: jwt('gitlab'), spiffeFile: file('svid') }), true],
    ['gitlab', () => ({ idToken: jwt('gitlab'), spiffeFile: file('svid') }), false],
    ['svid', () => ({ spiffeFile: file('svid') }), false],
  ])('the identity token is %s, the first in the order of sources', async (name, places, inPod) => {
    const token = identityToken({ ...none, ...places() }, inPod ? file('pod') : file('missing'));
    expect(await token.read()).toBe(jwt(name));
  });

  it('the identity token is read again at every use', async () => {
    const token = identityToken({ ...none, tokenFile: file('rotated') });
    for (const name of ['first', 'second']) {
      writeFileSync(file('rotated'), jwt(name));
      expect(await token.read()).toBe(jwt(name));
    }
  });

  it('a missing identity token is refused with the ways to give one', () => {
    expect(() => identityToken(none, file('missing'))).toThrow('there is no identity token');
  });

  it('a text that is not an identity token is neither sent nor shown', async () => {
    writeFileSync(file('key'), '-----BEGIN PRIVATE KEY-----');
    const attempt = identityToken({ ...none, tokenFile: file('key') }).read();
    await expect(attempt).rejects.toThrow(/holds no identity token$/);
    await expect(identityToken({ ...none, tokenFile: file('gone') }).read()).rejects.toThrow('cannot be read (ENOENT)');
  });
});

describe('the token of a GitHub Actions job', () => {
  let server: Server;
  let asked: IncomingMessage[];
  let answer: unknown;
  let now = 0;
  const token = () => {
    const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/token?api-version=2`;
    return new ActionsToken({ url, token: 'request-token' }, { now: () => now });
  };
  beforeAll(async () => {
    asked = [];
    server = createServer((request, response) => {
      asked.push(request);
      response.statusCode = answer === undefined ? 500 : 200;
      response.end(JSON.stringify(answer ?? {}));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterAll(() => {
    server.close();
  });

  it('the token of a GitHub Actions job is asked for with the audience `mayfly`, and kept for a minute', async () => {
    answer = { value: jwt('actions') };
    const identity = token();
    expect(await identity.read()).toBe(jwt('actions'));
    expect(await identity.read()).toBe(jwt('actions'));
    expect(asked).toHaveLength(1);
    expect(asked[0]?.url).toBe('/token?api-version=2&audience=mayfly');
    expect(asked[0]?.headers.authorization).toBe('Bearer request-token');
    now += 61_000;
    await identity.read();
    expect(asked).toHaveLength(2);
  });

  it.each([undefined, { value: 'no token' }, { other: 1 }])(
    'the token of a GitHub Actions job is not made up from %j',
    async (wrong) => {
      answer = wrong;
      await expect(token().read()).rejects.toThrow('gave no identity token');
    },
  );
});
