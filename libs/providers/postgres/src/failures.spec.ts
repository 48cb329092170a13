import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { Problem } from '@mayfly/kernel';
import { NotConnected } from './errors.js';
import { codeOf, explain, MAYFLY_RETRIES, problemFrom } from './failures.js';

const failing = (code: unknown): Error =>
  Object.assign(new Error('canary'), { code, where: 'canary', detail: 'canary' });

describe('problemFrom', () => {
  it.each(['MF001', 'MF002', 'MF003', 'MF005', '28P01', '3D000', '42501', '42P01', '42601', '22023', '0LP01'])(
    'problemFrom proves for %s that nothing was minted',
    (code) => {
      expect(problemFrom(failing(code))).toMatchObject({ code: 'provider_rejected' });
    },
  );

  it.each([
    '42710',
    '23505',
    '55P03',
    '08006',
    '57P01',
    '57014',
    '40P01',
    '53300',
    'XX000',
    'ECONNRESET',
    'ECONNREFUSED',
    'aborted',
    7,
  ])('problemFrom leaves the outcome of %s unknown', (code) => {
    expect(problemFrom(failing(code))).toMatchObject({ code: 'provider_unavailable' });
  });

  it('problemFrom shows nothing of the error but its code', () => {
    for (const code of [
      '42501',
      '42P01',
      'XX000',
      'canary, which is too long to be a code',
      'canarycanary',
      undefined,
    ]) {
      expect(inspect(problemFrom(failing(code)), { depth: 9, showHidden: true })).not.toContain('canary');
    }
  });

  it('problemFrom passes problems on', () => {
    const problem = new Problem('provider_rejected', 'no such table');
    expect(problemFrom(problem)).toBe(problem);
  });
});

describe('explain', () => {
  it.each(['57P03', 'ECONNRESET'])(
    'explain of %s tells who repeats the work: the caller, or Mayfly for a revocation',
    (code) => {
      const error = Object.assign(new Error('canary'), { code });
      expect(explain(error)).toMatch(new RegExp(`; try again later \\(${code}\\)$`));
      expect(explain(error, MAYFLY_RETRIES)).toMatch(new RegExp(`; wait, Mayfly tries again \\(${code}\\)$`));
    },
  );
});

describe('explain', () => {
  it.each([
    ['54000', 'the database answered SQLSTATE 54000; look for the reason in its log'],
    ['EPIPE', /^the call to the database failed before an answer came \(EPIPE\); check/],
    [undefined, /^the call to the database failed before an answer came \(unexpected\); check/],
  ])('explain shows the code %s as an answer of the database only when the database sent it', (code, text) => {
    expect(explain(failing(code))).toMatch(text);
  });
});

describe('codeOf', () => {
  it.each([
    [failing('42501'), '42501'],
    [failing('two words'), 'unexpected'],
    [new Error('canary'), 'unexpected'],
    ['canary', 'unexpected'],
    [{ code: 'ERR_TLS_CERT_ALTNAME_INVALID' }, 'ERR_TLS_CERT_ALTNAME_INVALID'],
    [{ code: 'pLain4SecretOf20Chars' }, 'unexpected'],
    [{ code: 'AKIACANARYCANARYXYZ1' }, 'unexpected'],
  ])('codeOf of %s is %s', (error, code) => {
    expect(codeOf(error)).toBe(code);
  });
});

describe('explain', () => {
  it.each([
    new Error('timeout expired'),
    new Error('Connection terminated due to connection timeout'),
    new DOMException('canary', 'TimeoutError'),
  ])('explain says of a database that never answers that it did not answer in time (%s)', (cause) => {
    expect(explain(new NotConnected(cause))).toMatch(/^the database of the connection did not answer in time/);
    expect(problemFrom(new NotConnected(cause))).toMatchObject({ code: 'provider_unavailable' });
  });
});
