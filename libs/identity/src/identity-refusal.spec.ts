import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { Problem } from '@mayfly/kernel';
import {
  agentRefused,
  identityRefusalReason,
  identityRefused,
  keysUnavailable,
  noteRefusedToken,
  refusedIdentity,
  replayRefused,
  tokenMissing,
} from './identity-refusal.js';
import { OTHER_REASONS, PROVEN_REASONS, UNPROVEN_REASONS } from './refusal-reasons.js';

const IDENTITY = { issuer: 'ci', subject: 'agent' };

describe('an identity refusal', () => {
  it('the refusal of an unproven token gives every caller one text, and the audit the reason', () => {
    const [unknown, forged] = [identityRefused('unknown_key'), identityRefused('signature')];
    expect(unknown.detail).toBe(forged.detail);
    expect(unknown.extensions).toEqual(forged.extensions);
    expect(unknown.extensions).not.toHaveProperty('reason');
    expect([unknown, forged].map(identityRefusalReason)).toEqual(['unknown_key', 'signature']);
  });

  it('an identity refusal of a proven token tells its holder the rule, what broke it and what to do', () => {
    const problem = identityRefused('audience', 'account');
    expect(problem).toMatchObject({
      ...{ code: 'unauthenticated', detail: 'the identity token is for another audience: account' },
      extensions: { reason: 'audience', help: expect.stringContaining('audiences') },
    });
    expect(refusedIdentity(problem)).toEqual({ reason: 'audience', isProven: true, facts: {} });
  });

  it('an identity refusal repeats claims escaped and bounded', () => {
    const { detail } = identityRefused('audience', `\u001b[31m${'x'.repeat(2000)}`);
    expect(detail).toContain('\\u{1b}[31m');
    expect(detail.length).toBeLessThan(600);
  });

  it('an identity refusal keeps what went wrong with the keys for the log', () => {
    const down = new Error('down');
    const problem = keysUnavailable(down);
    expect(problem.code).toBe('unavailable');
    expect(identityRefusalReason(problem)).toBe('keys_unavailable');
    expect((problem.cause as Error).cause).toBe(down);
  });

  it.each(['no_agent', 'ambiguous_agent'] as const)(
    'an identity refusal for %s names the identity to bind',
    (reason) => {
      const problem = agentRefused(reason, IDENTITY);
      expect(problem).toMatchObject({
        ...{ code: 'forbidden', detail: expect.stringContaining('issuer `ci`, subject `agent`') },
        extensions: { reason, identity: IDENTITY, help: expect.stringContaining('`platform`') },
      });
      expect(refusedIdentity(problem)).toEqual({ reason, isProven: true, facts: IDENTITY });
    },
  );

  it('an identity refusal of a token that was used says so', () => {
    const problem = replayRefused(IDENTITY);
    expect(problem).toMatchObject({ code: 'unauthenticated', extensions: { reason: 'replayed' } });
    expect(refusedIdentity(problem)).toMatchObject({ facts: IDENTITY });
  });

  it('the refusal of a request without a token says so', () => {
    expect(tokenMissing()).toMatchObject({ code: 'unauthenticated', extensions: { reason: 'no_token' } });
  });

  it.each([
    ['another Problem', new Problem('unauthenticated', 'x')],
    ['an error', new Error('x')],
    ['nothing', undefined],
  ])('an identity refusal has no reason for %s, and leaves it as it is', (_, error) => {
    expect(identityRefusalReason(error)).toBeUndefined();
    expect(() => {
      noteRefusedToken(error, 'a.b.c', 'ci');
    }).not.toThrow();
  });
});

describe('the reasons in docs/problems.md', () => {
  it('docs/problems.md has the reasons of the code, word by word', () => {
    const [, section = ''] = readFileSync('docs/problems.md', 'utf8').split('## Refused identities');
    const cells = section
      .split('\n')
      .filter((line) => line.startsWith('| `'))
      .map((row) =>
        row
          .slice(1, -1)
          .split('|')
          .map((cell) => cell.trim()),
      );
    const rows = (reasons: object, told: string) =>
      Object.entries(reasons as Record<string, { meaning: string; help: string }>).map(
        ([reason, { meaning, help }]) => [`\`${reason}\``, told, `${meaning}.`, `${help}.`],
      );
    expect(cells).toEqual([
      ...rows(PROVEN_REASONS, 'yes'),
      ...rows(UNPROVEN_REASONS, 'no'),
      ...rows(OTHER_REASONS, 'yes'),
    ]);
  });
});
