import { describe, expect, it } from '@jest/globals';
import { redactionOf } from '@mayfly/telemetry';
import fc from 'fast-check';

/** A text with a secret in it, and the part of the secret that must be removed. */
export type SecretText = readonly [name: string, text: string, canary: string];

const PIECES = ['"', '\\', '\n', 'password=', 'secret":"', 'eyJhbGciOiJF.', 'a://b:c@', '-----BEGIN X-----', 'Bearer '];
const HOSTILE = ['a.', 'http://', 'eyJ', 'password', '-----BEGIN ', 'Bearer '];

/**
 * Tests of a provider's secret patterns: they remove each secret, keep a log line valid JSON, and run in linear time.
 */
export function redactionSuite(name: string, patterns: readonly RegExp[], secrets: readonly SecretText[]): void {
  const redact = redactionOf(patterns);
  /** the beginnings of the secrets, which a slow pattern would try again and again */
  const beginnings = secrets.map(([, text]) => text.slice(0, 4));

  describe(`redaction of ${name}`, () => {
    it.each(secrets)('the redaction removes %s', (_name, text, canary) => {
      expect(redact(text)).not.toContain(canary);
      expect(redact(text)).toContain('[redacted]');
    });

    it.each(secrets)(
      'the redaction removes %s from the middle of a JSON line and leaves a JSON line',
      (_name, text, canary) => {
        const line = JSON.stringify({
          before: 1,
          nested: { message: `x ${text}`, again: [text], lines: `x\n${text}\r\n\t${text}` },
          after: 'kept',
        });
        const redacted = redact(line);
        expect(redacted).not.toContain(canary);
        expect(JSON.parse(redacted)).toMatchObject({ before: 1, after: 'kept' });
      },
    );

    it('the redaction gives JSON for JSON, with any content', () => {
      const piece = fc.constantFrom(...PIECES, ...secrets.map(([, secret]) => secret));
      const text = fc
        .array(fc.oneof(piece, fc.string({ maxLength: 12 })), { maxLength: 8 })
        .map((pieces) => pieces.join(''));
      fc.assert(
        fc.property(text, text, (first, second) => {
          const redacted = redact(JSON.stringify({ first, second, last: 1 }));
          expect(JSON.parse(redacted)).toMatchObject({ last: 1 });
        }),
        { numRuns: 500 },
      );
    });

    it('the redaction takes linear time on hostile text', () => {
      for (const hostile of [...HOSTILE, ...beginnings]) {
        const text = hostile.repeat(65_536 / hostile.length);
        const began = performance.now();
        redact(text);
        expect(performance.now() - began).toBeLessThan(1000);
      }
    });
  });
}
