import { hkdfSync, randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { Problem } from '@mayfly/kernel';
import fc from 'fast-check';
import { Sealer } from './sealer.js';

const newKey = (): string => randomBytes(32).toString('base64');
const refusal = (call: () => unknown): Problem => {
  try {
    call();
  } catch (error) {
    if (error instanceof Problem) return error;
  }
  throw new Error('it did not refuse with a Problem');
};

describe('Sealer', () => {
  const key = newKey();
  const sealer = new Sealer({ current: key });

  it('Sealer opens what it sealed, for any bytes and any context', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.string(), (plain, context) => {
        expect(sealer.open(sealer.seal(plain, context), context)).toEqual(Buffer.from(plain));
      }),
    );
  });

  it('Sealer seals text as UTF-8', () => {
    expect(sealer.open(sealer.seal('Maifliege – 蜉蝣', 'x'), 'x').toString()).toBe('Maifliege – 蜉蝣');
  });

  it('Sealer never seals the same text alike twice, and shows nothing of it', () => {
    const texts = Array.from({ length: 50 }, () => sealer.seal('canary-4711', 'x'));
    expect(new Set(texts.map((text) => text.toString('hex'))).size).toBe(50);
    expect(texts.some((text) => text.includes('canary'))).toBe(false);
  });

  it('Sealer draws another first half of the nonce after 4,096 values, and all of them open', () => {
    const fresh = new Sealer({ current: newKey() });
    const sealed = Array.from({ length: 4_097 }, (_, n) => fresh.seal(String(n), 'x'));
    expect(sealed.map((text) => fresh.open(text, 'x').toString())).toEqual(sealed.map((_, n) => String(n)));
    const halves = sealed.map((text) => text.subarray(1, 13).toString('hex'));
    expect(new Set(halves.slice(0, 4_096)).size).toBe(1);
    expect(halves[4_096]).not.toBe(halves[0]);
    expect(new Set(sealed.map((text) => text.subarray(1, 25).toString('hex'))).size).toBe(4_097);
  });

  it('Sealer refuses a value with any one bit changed, and any shortened value', () => {
    const sealed = sealer.seal('canary-4711', 'lease:1');
    for (let bit = 0; bit < sealed.length * 8; bit += 1) {
      const altered = Buffer.from(sealed);
      altered.writeUInt8(altered.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      expect(refusal(() => sealer.open(altered, 'lease:1')).code).toBe('internal');
    }
    for (let length = 0; length < sealed.length; length += 1) {
      expect(refusal(() => sealer.open(sealed.subarray(0, length), 'lease:1')).code).toBe('internal');
    }
  });

  it('Sealer refuses a value that was moved to another context', () => {
    const sealed = sealer.seal('canary-4711', 'lease:1');
    const problem = refusal(() => sealer.open(sealed, 'lease:2'));
    expect(problem.code).toBe('internal');
    expect(inspect(problem, { depth: 9 })).not.toContain('canary');
  });

  it('Sealer opens old values after its key changed, and no longer when the old key is not given', () => {
    const sealed = sealer.seal('canary-4711', 'x');
    const next = newKey();
    expect(new Sealer({ current: next, previous: [newKey(), key] }).open(sealed, 'x').toString()).toBe('canary-4711');
    expect(refusal(() => new Sealer({ current: next }).open(sealed, 'x')).code).toBe('internal');
  });

  it('Sealer says which first byte belongs to the current key, and which to previous ones', () => {
    const before = new Sealer({ current: key });
    const after = new Sealer({ current: newKey(), previous: [key] });
    expect(after.keyIds).toEqual({ current: after.seal('', 'a')[0], previous: [before.seal('', 'a')[0]] });
  });

  it('Sealer seals under the current key only', () => {
    const next = newKey();
    const sealed = new Sealer({ current: next, previous: [key] }).seal('canary-4711', 'x');
    expect(refusal(() => sealer.open(sealed, 'x')).code).toBe('internal');
    expect(new Sealer({ current: next }).open(sealed, 'x').toString()).toBe('canary-4711');
  });

  it('Sealer opens under each of 300 previous keys, some of which share an id byte', () => {
    const previous = Array.from({ length: 300 }, newKey);
    const all = new Sealer({ current: key, previous });
    for (const old of previous) {
      expect(all.open(new Sealer({ current: old }).seal(old, 'x'), 'x').toString()).toBe(old);
    }
  });

  it.each([
    ['hexadecimal', 'hex' as const],
    ['base64', 'base64' as const],
    ['base64url', 'base64url' as const],
  ])('Sealer reads a key in %s', (_name, encoding) => {
    const bytes = randomBytes(32);
    const other = new Sealer({ current: bytes.toString(encoding) });
    expect(new Sealer({ current: bytes.toString('base64') }).open(other.seal('a', 'x'), 'x').toString()).toBe('a');
  });

  it.each(['', 'canary', randomBytes(31).toString('base64'), randomBytes(33).toString('hex'), 'canary'.repeat(11)])(
    'Sealer refuses the key `%s` without repeating it',
    (text) => {
      for (const keys of [{ current: text }, { current: newKey(), previous: [text] }]) {
        const problem = refusal(() => new Sealer(keys));
        expect(problem.code).toBe('internal');
        expect(inspect(problem)).not.toMatch(/\bcanary\w*[`']/);
      }
    },
  );

  it('Sealer shows no key when it is printed or written as JSON', () => {
    const bytes = Buffer.from(key, 'base64');
    const shown = inspect(sealer, { depth: 9, showHidden: true }) + JSON.stringify(sealer);
    const seal = Buffer.from(hkdfSync('sha256', bytes, Buffer.alloc(0), 'mayfly/seal/v1', 32));
    for (const secret of [bytes, seal]) {
      expect(shown).not.toContain(secret.toString('hex').slice(0, 16));
      expect(shown).not.toContain(
        secret
          .toString('hex')
          .slice(0, 16)
          .replace(/(..)(?=.)/g, '$1 '),
      );
      expect(shown).not.toContain(secret.toString('base64').slice(0, 16));
    }
  });
});
