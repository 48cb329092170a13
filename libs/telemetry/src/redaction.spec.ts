import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { redactText } from './redaction.js';

/** Each is a secret and the part of it that must never be seen. */
const SECRETS: readonly (readonly [name: string, text: string, canary: string])[] = [
  ['an AWS access key', 'AKIACANARYCANARYXYZ1', 'CANARYCANARY'],
  ['an AWS session key', 'key ASIACANARYCANARYXYZ1 used', 'CANARYCANARY'],
  ['a Vault service token', 'hvs.CAESIcanarycanarycanary', 'canary'],
  ['a Vault batch token', 'token hvb.AAAAAcanary-canary_canary!', 'canary'],
  ['an OpenBao token', 's.canarycanarycanarycanary', 'canary'],
  ['a GitHub token', 'ghs_canarycanarycanarycanarycanarycanary', 'canary'],
  ['a GitHub personal token', 'github_pat_11AAcanary_canarycanarycanary', 'canary'],
  ['a JWT', 'eyJhbGciOiJFZERTQSJ9.eyJjYW5hcnkiOjF9.canary-signature', 'canary'],
  ['a JWE', 'eyJhbGciOiJFQ0RILUVTIn0..canary.canary.canary', 'canary'],
  ['a PEM key', '-----BEGIN PRIVATE KEY-----\ncanary\ncanary\n-----END PRIVATE KEY-----', 'canary'],
  ['a PEM key that was cut off', '-----BEGIN EC PRIVATE KEY-----\ncanary', 'canary'],
  ['a SCRAM verifier', 'SCRAM-SHA-256$4096:canary==$canary=:canary=', 'canary'],
  ['a database URL', 'postgresql://mayfly:canary@127.0.0.1:5432/crm', 'canary'],
  ['a database URL with odd characters', 'postgres://mayfly:can/ary@canary@db/crm', 'canary'],
  ['a Redis URL', 'connect rediss://:canary@cache:6379 failed', 'canary'],
  ['an authorization header', 'Authorization: Digest canary, x=canary', 'canary'],
  ['a bearer token', 'sent Bearer canary.canary~canary', 'canary'],
  ['a basic credential', 'Basic Y2FuYXJ5canary=', 'canary'],
  ['a password setting', 'host=db password=canary sslmode=require', 'canary'],
  ['a secret in a query', '/token?client_secret=canary&x=1', 'canary'],
];

describe('redactText', () => {
  it.each(SECRETS)('removes %s', (_name, text, canary) => {
    expect(redactText(text)).not.toContain(canary);
    expect(redactText(text)).toContain('[redacted]');
  });

  it.each(SECRETS)('removes %s from the middle of a JSON line and leaves a JSON line', (_name, text, canary) => {
    const line = JSON.stringify({
      before: 1,
      nested: { message: `x ${text}`, again: [text], lines: `x\n${text}\r\n\t${text}` },
      after: 'kept',
    });
    const redacted = redactText(line);
    expect(redacted).not.toContain(canary);
    expect(JSON.parse(redacted)).toMatchObject({ before: 1, after: 'kept' });
  });

  it.each(['authorization', 'password', 'secret', 'apiKey'])('removes the value of a JSON member `%s`', (name) => {
    const redacted = redactText(
      JSON.stringify({ [name]: 'a canary, b\ncanary', x: { [name]: 'canary' }, text: `{"${name}":"canary"}` }),
    );
    expect(redacted).not.toContain('canary');
    expect(Object.keys(JSON.parse(redacted) as object)).toEqual([name, 'x', 'text']);
  });

  it.each([
    'granted task tsk_01k9xq5v7se9ts1kxg4z8h3m2n with lease lse_01k9xq5v7se9ts1kxg4z8h3m2n',
    'password authentication failed for user "mayfly"',
    'listening on http://127.0.0.1:8420/docs',
    'postgresql://127.0.0.1:5432/crm is down',
    '{"password":true,"secret":null,"password_bytes":12}',
  ])('leaves %s as it is', (text) => {
    expect(redactText(text)).toBe(text);
  });

  it('gives JSON for JSON, whatever is in it', () => {
    const piece = fc.constantFrom(
      '"',
      '\\',
      '\n',
      'password=',
      'secret":"',
      'eyJhbGciOiJF.',
      'a://b:c@',
      '-----BEGIN X-----',
      'Bearer ',
    );
    const text = fc
      .array(fc.oneof(piece, fc.string({ maxLength: 12 })), { maxLength: 8 })
      .map((pieces) => pieces.join(''));
    fc.assert(
      fc.property(text, text, (first, second) => {
        const redacted = redactText(JSON.stringify({ first, second, last: 1 }));
        expect(JSON.parse(redacted)).toMatchObject({ last: 1 });
      }),
      { numRuns: 500 },
    );
  });

  it('takes linear time on hostile text', () => {
    for (const hostile of ['a.', 'http://', 'eyJ', 'password', '-----BEGIN ', 'Bearer ']) {
      const text = hostile.repeat(65_536 / hostile.length);
      const began = performance.now();
      redactText(text);
      expect(performance.now() - began).toBeLessThan(1000);
    }
  });
});
