import { describe, expect, it } from '@jest/globals';
import { redactionSuite, type SecretText } from '@mayfly/testing';
import { redactionOf } from './redaction.js';

const SECRETS: readonly SecretText[] = [
  ['a GitHub token', 'ghs_canarycanarycanarycanarycanarycanary', 'canary'],
  ['a GitHub personal token', 'github_pat_11AAcanary_canarycanarycanary', 'canary'],
  ['a task token', `mft_01k9xq5v7se9ts1kxg4z8h3m2n_${'canary-'.repeat(6)}x`, 'canary'],
  ['a JWT', 'eyJhbGciOiJFZERTQSJ9.eyJjYW5hcnkiOjF9.canary-signature', 'canary'],
  ['a JWE', 'eyJhbGciOiJFQ0RILUVTIn0..canary.canary.canary', 'canary'],
  ['a PEM key', '-----BEGIN PRIVATE KEY-----\ncanary\ncanary\n-----END PRIVATE KEY-----', 'canary'],
  ['a PEM key that was cut off', '-----BEGIN EC PRIVATE KEY-----\ncanary', 'canary'],
  ['a database URL', 'postgresql://mayfly:canary@127.0.0.1:5432/crm', 'canary'],
  ['a database URL with odd characters', 'postgres://mayfly:can/ary@canary@db/crm', 'canary'],
  ['a Redis URL', 'connect rediss://:canary@cache:6379 failed', 'canary'],
  ['an authorization header', 'Authorization: Digest canary, x=canary', 'canary'],
  ['a bearer token', 'sent Bearer canary.canary~canary', 'canary'],
  ['a basic credential', 'Basic Y2FuYXJ5canary=', 'canary'],
  ['a password setting', 'host=db password=canary sslmode=require', 'canary'],
  ['a secret in a query', '/token?client_secret=canary&x=1', 'canary'],
];

redactionSuite('what looks like a secret whoever made it', [], SECRETS);

describe('redaction', () => {
  const redactText = redactionOf([]);

  it.each(['authorization', 'password', 'secret', 'apiKey'])(
    'redaction removes the value of a JSON member `%s`',
    (name) => {
      const redacted = redactText(
        JSON.stringify({ [name]: 'a canary, b\ncanary', x: { [name]: 'canary' }, text: `{"${name}":"canary"}` }),
      );
      expect(redacted).not.toContain('canary');
      expect(Object.keys(JSON.parse(redacted) as object)).toEqual([name, 'x', 'text']);
    },
  );

  it.each([
    'granted task tsk_01k9xq5v7se9ts1kxg4z8h3m2n with lease lse_01k9xq5v7se9ts1kxg4z8h3m2n',
    'password authentication failed for user "mayfly"',
    'listening on http://127.0.0.1:8420/docs',
    'postgresql://127.0.0.1:5432/crm is down',
    '{"password":true,"secret":null,"password_bytes":12}',
  ])('redaction leaves %s as it is', (text) => {
    expect(redactText(text)).toBe(text);
  });

  it('redaction takes patterns besides, and replaces each of their matches', () => {
    expect(redactionOf([/pin-\d{4}/])('pin-4711 and pin-4712')).toBe('[redacted] and [redacted]');
  });
});
