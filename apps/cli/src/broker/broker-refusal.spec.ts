import { describe, expect, it } from '@jest/globals';
import { BrokerRefusal } from './broker-refusal.js';

const problem = (code: string, more: object = {}) => ({
  type: `urn:mayfly:problem:${code}`,
  detail: 'this is why',
  ...more,
});

describe('a refusal', () => {
  it('is one sentence with what refused, and what would help', () => {
    const refusal = BrokerRefusal.of(
      403,
      problem('policy_denied', { control: 'runtime', help: 'ask elsewhere' }),
      undefined,
    );
    expect(refusal).toMatchObject({
      exitCode: 3,
      code: 'policy_denied',
      message: 'this is why (control `runtime`)',
      help: 'ask elsewhere',
    });
  });

  it('names each field that is wrong, and what a target said', () => {
    const errors = [
      { pointer: '/parameters/region', detail: 'use one of `emea`' },
      { pointer: '', detail: 'too much' },
    ];
    expect(BrokerRefusal.of(422, problem('invalid_parameters', { errors }), undefined).message).toBe(
      'this is why\n  /parameters/region: use one of `emea`\n  too much',
    );
    expect(
      BrokerRefusal.of(503, problem('provider_unavailable', { reason: 'sealed', instance: 'urn:x' }), '5'),
    ).toMatchObject({
      exitCode: 4,
      message: 'this is why (sealed) [urn:x]',
      retryAfterSeconds: 5,
    });
  });

  it('of an identity has the rule that refused, what to do, and the identity to bind', () => {
    const help = 'have someone with the role `platform` add it';
    const unbound = problem('forbidden', { reason: 'no_agent', help, instance: 'urn:x' });
    expect(BrokerRefusal.of(403, unbound, undefined)).toMatchObject({ message: 'this is why (no_agent)', help });
  });

  it('of a token that is not proven has the id of the request, under which the platform team finds the reason', () => {
    const hidden = problem('unauthenticated', { help: 'ask for it', instance: 'urn:x' });
    expect(BrokerRefusal.of(401, hidden, undefined)).toMatchObject({
      message: 'this is why [urn:x]',
      help: 'ask for it',
    });
  });

  it('says each fact once: no number of what is listed, no pointer beside the path, no sentence twice', () => {
    const first = { pointer: '/spec/issuer', detail: 'Issuer/a: spec.issuer: declare it once' };
    const second = { pointer: '/spec/keys', detail: 'Issuer/a: spec.keys: use https' };
    const message = (errors: object[], detail: string) =>
      BrokerRefusal.of(422, { type: 'urn:mayfly:problem:invalid_declaration', detail, errors }, undefined).message;
    expect(message([first], first.detail)).toBe('Issuer/a: spec.issuer: declare it once');
    expect(message([first, second], `${first.detail} (and 1 more)`)).toBe(
      'Issuer/a: spec.issuer: declare it once\n  Issuer/a: spec.keys: use https',
    );
  });

  it.each([undefined, 'text', { detail: 7 }, []])('of something that is no broker (%j) says just that', (body) => {
    expect(BrokerRefusal.of(502, body, 'soon')).toMatchObject({
      code: '',
      message: 'the broker answered 502 without saying why',
      retryAfterSeconds: undefined,
    });
  });
});
