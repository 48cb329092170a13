import { describe, expect, it } from '@jest/globals';
import { BrokerProblem } from '@mayfly/client';
import { refusalOf } from './broker-refusal.js';

const problem = (code: string, more: object = {}) => ({
  type: `urn:mayfly:problem:${code}`,
  detail: 'this is why',
  ...more,
});

/** The words for an answer of the broker. */
const wordsFor = (status: number, body: unknown) => refusalOf(BrokerProblem.of(status, body, undefined));

describe('a refusal', () => {
  it('a refusal is one sentence with the control that refused and the help', () => {
    const refusal = wordsFor(403, problem('policy_denied', { control: 'runtime', help: 'ask elsewhere' }));
    expect(refusal).toMatchObject({
      exitCode: 3,
      message: 'this is why (control `runtime`)',
      help: 'ask elsewhere',
    });
  });

  it('a refusal names each wrong field and the answer of the target', () => {
    const errors = [
      { pointer: '/parameters/region', detail: 'use one of `emea`' },
      { pointer: '', detail: 'too much' },
    ];
    expect(wordsFor(422, problem('invalid_parameters', { errors })).message).toBe(
      'this is why\n  /parameters/region: use one of `emea`\n  too much',
    );
    expect(wordsFor(503, problem('provider_unavailable', { reason: 'sealed', instance: 'urn:x' }))).toMatchObject({
      exitCode: 4,
      message: 'this is why (sealed) [urn:x]',
    });
  });

  it('a refusal of an identity has the rule that refused, what to do, and the identity to bind', () => {
    const help = 'have someone with the role `platform` add it';
    const unbound = problem('forbidden', { reason: 'no_agent', help, instance: 'urn:x' });
    expect(wordsFor(403, unbound)).toMatchObject({ message: 'this is why (no_agent)', help });
  });

  it('a refusal of a token that is not proven has the id of the request, under which the platform team finds the reason', () => {
    const hidden = problem('unauthenticated', { help: 'ask for it', instance: 'urn:x' });
    expect(wordsFor(401, hidden)).toMatchObject({
      message: 'this is why [urn:x]',
      help: 'ask for it',
    });
  });

  it('a refusal says each fact once, without a pointer that repeats the path', () => {
    const first = { pointer: '/spec/issuer', detail: 'Issuer/a: spec.issuer: declare it once' };
    const second = { pointer: '/spec/keys', detail: 'Issuer/a: spec.keys: use https' };
    const message = (errors: object[], detail: string) =>
      wordsFor(422, { type: 'urn:mayfly:problem:invalid_declaration', detail, errors }).message;
    expect(message([first], first.detail)).toBe('Issuer/a: spec.issuer: declare it once');
    expect(message([first, second], `${first.detail} (and 1 more; correct all of them)`)).toBe(
      'Issuer/a: spec.issuer: declare it once\n  Issuer/a: spec.keys: use https',
    );
  });

  it.each([undefined, 'text', { detail: 7 }, []])(
    'the refusal of a server that is not a broker (%j) says exactly that',
    (body) => {
      expect(wordsFor(502, body).message).toBe('the broker answered 502 without saying why');
    },
  );
});
