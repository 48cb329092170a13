import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { classify, detailFor, problemFor } from './failures.js';

const answer = (name: string, status: number | undefined, message = 'canary') =>
  Object.assign(new Error(message), { name, $metadata: { httpStatusCode: status } });
const broken = (code: string) => Object.assign(new Error('canary'), { code });

describe('classify', () => {
  it.each([
    ['Throttling', 400, 'throttled'],
    ['ThrottlingException', 400, 'throttled'],
    ['RequestLimitExceeded', 503, 'throttled'],
    ['TooManyRequestsException', 429, 'throttled'],
    ['IDPCommunicationErrorException', 400, 'throttled'],
    ['ConcurrentModificationException', 409, 'throttled'],
    ['ExpiredToken', 403, 'expired-credentials'],
    ['ExpiredTokenException', 400, 'expired-credentials'],
    ['UnrecognizedClientException', 403, 'broker-credentials'],
    ['MalformedPolicyDocumentException', 400, 'malformed-policy'],
    ['PackedPolicyTooLargeException', 400, 'packed-size'],
    ['AccessDenied', 403, 'access-denied'],
    ['RegionDisabledException', 403, 'region-disabled'],
    ['InvalidIdentityTokenException', 400, 'invalid-identity-token'],
    ['IDPRejectedClaimException', 403, 'invalid-identity-token'],
    ['NoSuchEntityException', 404, 'not-found'],
    ['LimitExceededException', 409, 'limit-exceeded'],
    ['RequestTimeTooSkewed', 403, 'clock-skew'],
  ])('classify knows %s (%i) as %s, and that nothing was done', (name, status, reason) => {
    expect(classify(answer(name, status))).toEqual({ reason, code: name, certain: true });
    expect(problemFor(classify(answer(name, status))).code).toBe('provider_rejected');
  });

  it.each([
    ['Unknown', 400, 'invalid-request'],
    ['Unknown', 403, 'access-denied'],
    ['NotFound', 404, 'not-found'],
    ['Unknown', 405, 'refused'],
  ])('classify takes the status where an engine gives no code: %s (%i) is %s', (name, status, reason) => {
    expect(classify(answer(name, status))).toMatchObject({ reason, certain: true });
  });

  it.each<[string, unknown]>([
    ['500', answer('InternalFailure', 500)],
    ['503 without a code', answer('Unknown', 503)],
    ['a time-out', answer('TimeoutError', undefined)],
    ['an abort', answer('AbortError', undefined)],
    ['a broken connection', broken('ECONNRESET')],
    ['an answer that cannot be read', new SyntaxError('canary')],
    ['408 of a proxy', answer('Unknown', 408)],
    ['a name from the prototype', answer('constructor', undefined)],
    ['nothing', undefined],
    ['a text', 'canary'],
  ])('classify calls %s unknown', (_, error) => {
    expect(classify(error)).toMatchObject({ reason: 'unknown-outcome', certain: false });
    expect(problemFor(classify(error)).code).toBe('provider_unavailable');
  });

  it('classify takes an unreachable server as proof that nothing was sent', () => {
    expect(classify(broken('ECONNREFUSED'))).toEqual({ reason: 'unreachable', code: 'ECONNREFUSED', certain: true });
  });

  it.each([
    ['SignatureDoesNotMatch', 'Signature expired: 1 is now earlier than 2', 'clock-skew'],
    ['SignatureDoesNotMatch', 'Signature not yet current', 'clock-skew'],
    ['SignatureDoesNotMatch', 'other', 'broker-credentials'],
    ['InvalidClientTokenId', 'The security token included in the request is expired', 'expired-credentials'],
    ['ValidationError', 'The requested DurationSeconds exceeds the 1 hour session limit', 'session-length'],
  ])('classify reads a more exact reason from the text of %s: %s', (name, message, reason) => {
    expect(classify(answer(name, 403, message)).reason).toBe(reason);
  });

  it('classify names the missing right, and what to do about it', () => {
    const message = 'User: arn:aws:iam::1:user/canary is not authorized to perform: sts:TagSession on resource: canary';
    const failure = classify(answer('AccessDenied', 403, message));
    expect(failure.action).toBe('sts:TagSession');
    expect(detailFor(failure)).toContain('`trusted.tags`');
    expect(detailFor({ ...failure, action: 'iam:PutRolePolicy' })).toContain('`iam:PutRolePolicy`');
  });

  it('classify names the role and both policies when AWS refuses to let Mayfly assume the role', () => {
    // STS leaves out the colon for web identities
    const byToken = classify(answer('AccessDenied', 403, 'Not authorized to perform sts:AssumeRoleWithWebIdentity'));
    expect(byToken.action).toBe('sts:AssumeRoleWithWebIdentity');
    const refused = classify(
      answer('AccessDenied', 403, 'canary is not authorized to perform: sts:AssumeRole on canary'),
    );
    expect(detailFor(refused)).toBe(
      "AWS refuses `sts:AssumeRole`; name Mayfly in the role's trust policy, allow `sts:AssumeRole` in Mayfly's policy, and check `externalId`",
    );
    expect(detailFor(classify(answer('AccessDenied', 403)))).toContain("compare the role's trust policy and Mayfly's");
    expect(detailFor(classify(answer('NoSuchEntity', 404)))).toMatch(/`roleArn`.*`policyArns`/);
  });

  it.each([
    'wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY12',
    'canarysecretofplainletters',
    'AKIACANARYCANARYXYZ1',
    `Canary${'Word'.repeat(12)}`,
  ])('classify shows no secret that a server says as its code: %s', (secret) => {
    expect(classify(answer(secret, 400))).toMatchObject({ code: 'Unknown' });
    expect(classify(broken(secret))).toMatchObject({ code: 'Error' });
    const message = `not authorized to perform: canarysecret:Canary on ${secret}`;
    expect(classify(answer('AccessDenied', 403, message)).action).toBeUndefined();
  });

  it.each(['NoSuchThingException', 'ERR_TLS_CERT_ALTNAME_INVALID', 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY'])(
    'classify shows the code %s, which it does not know',
    (code) => {
      expect(classify(Object.assign(new Error('canary'), { name: code }))).toMatchObject({ code });
    },
  );

  it.each([answer('AccessDenied', 403), answer('Unknown', 500), broken('ECONNRESET'), broken('canary with a space')])(
    'classify keeps nothing of an error that may hold a secret (%#)',
    (error) => {
      expect(inspect(problemFor(classify(error)), { showHidden: true, depth: 9 })).not.toContain('canary');
    },
  );
});
