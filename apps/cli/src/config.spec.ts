import { homedir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { readConfig } from './config.js';

describe('the address of the broker', () => {
  it.each([
    [{}, {}, 'http://127.0.0.1:8420'],
    [{}, { MAYFLY_URL: '' }, 'http://127.0.0.1:8420'],
    [{}, { MAYFLY_URL: 'https://mayfly.example/' }, 'https://mayfly.example'],
    [{}, { MAYFLY_URL: 'http://[::1]:8420' }, 'http://[::1]:8420'],
    [{}, { MAYFLY_URL: 'http://broker:8420', MAYFLY_ALLOW_HTTP: 'on' }, 'http://broker:8420'],
    [{ url: 'https://other.example' }, { MAYFLY_URL: 'https://mayfly.example' }, 'https://other.example'],
  ])('the address of the broker follows from %j and %j', (options, variables, url) => {
    expect(readConfig(options, variables).url).toBe(url);
  });

  it.each([
    ['http://broker:8420', 'plain http over a network is refused'],
    ['http://127.0.0.1.evil.example', 'plain http over a network is refused'],
    ['http://localhost.evil.example', 'plain http over a network is refused'],
    ['https://user:secret@mayfly.example', 'is wrong'],
    ['https://mayfly.example?token=secret', 'is wrong'],
    ['file:///etc/passwd', 'is wrong'],
    ['nonsense', 'is wrong'],
  ])('the address of the broker is refused as %s, and not repeated', (url, reason) => {
    const attempt = () => readConfig({}, { MAYFLY_URL: url });
    expect(attempt).toThrow(reason);
    expect(attempt).not.toThrow(/secret/);
  });
});

describe('the places of what is kept between two calls', () => {
  it.each([
    [{ XDG_RUNTIME_DIR: '/run/user/1', XDG_CACHE_HOME: '/var/cache' }, ['/run/user/1/mayfly', '/var/cache/mayfly']],
    [{ XDG_RUNTIME_DIR: 'relative', XDG_CACHE_HOME: '/var/cache' }, ['/var/cache/mayfly']],
    [{ XDG_CACHE_HOME: 'relative' }, [join(homedir(), '.cache', 'mayfly')]],
  ])('the directory for cached sessions follows from %j', (variables, places) => {
    expect(readConfig({}, variables).cacheDirs).toEqual(places);
  });
});

describe('the places of the identity token', () => {
  it('the sources of the identity token are the variables that are not empty', () => {
    const { identity } = readConfig({}, { MAYFLY_TOKEN: '', MAYFLY_TOKEN_FILE: '/t', MAYFLY_ID_TOKEN: 'i' });
    expect(identity).toEqual({
      token: undefined,
      tokenFile: '/t',
      idToken: 'i',
      actions: undefined,
      spiffeFile: undefined,
    });
  });

  it('the sources of the identity token begin with the named file', () => {
    const { identity } = readConfig({ tokenFile: '/named' }, { MAYFLY_TOKEN: 't', MAYFLY_TOKEN_FILE: '/t' });
    expect(identity).toMatchObject({ token: undefined, tokenFile: '/named' });
  });

  it('the sources of the identity token include GitHub Actions when both of its variables are set', () => {
    const url = { ACTIONS_ID_TOKEN_REQUEST_URL: 'https://actions.example/token?api-version=2' };
    expect(readConfig({}, url).identity.actions).toBeUndefined();
    const both = readConfig({}, { ...url, ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'r' });
    expect(both.identity.actions).toEqual({ url: url.ACTIONS_ID_TOKEN_REQUEST_URL, token: 'r' });
  });

  it('a wrong source of the identity token is refused by the name of the variable', () => {
    expect(() => readConfig({}, { MAYFLY_ALLOW_HTTP: 'perhaps' })).toThrow('MAYFLY_ALLOW_HTTP');
  });
});
