import { describe, expect, it } from '@jest/globals';
import { processCredentials, requireAlive, sessionIn } from './process-credentials.js';
import type { TaskAnswer } from '../broker/answers.js';

const EXPIRES = '2026-11-22T14:15:00.000Z';
const aws = (name: string, more = {}) => ({
  ...{ leaseId: 'lse_1', name, provider: 'aws-sts', state: 'active', revocation: 'propagating', expiresAt: EXPIRES },
  secret: { accessKeyId: name, secretAccessKey: 'S', sessionToken: 'T', expiration: EXPIRES, region: 'r', ...more },
});
const task = (...credentials: object[]) => ({ template: { name: 'x' }, credentials }) as unknown as TaskAnswer;

describe('what a credential process prints', () => {
  it('is what AWS SDKs read, and nothing else', () => {
    expect(
      processCredentials(sessionIn(task(aws('s3'), { ...aws('db'), provider: 'postgres', secret: {} }), []).session),
    ).toEqual({
      Version: 1,
      AccessKeyId: 's3',
      SecretAccessKey: 'S',
      SessionToken: 'T',
      Expiration: EXPIRES,
    });
  });

  it('is of the credential that was picked', () => {
    expect(sessionIn(task(aws('one'), aws('two')), ['two'])).toMatchObject({
      name: 'two',
      session: { accessKeyId: 'two' },
    });
    expect(() => sessionIn(task(aws('one'), aws('two')), [])).toThrow('several AWS sessions');
  });

  it('is nothing that has ended by the clock of this machine', () => {
    const { session } = sessionIn(task(aws('s3')), []);
    expect(() => requireAlive(session, new Date(Date.parse(EXPIRES) - 1))).not.toThrow();
    expect(() => requireAlive(session, new Date(EXPIRES))).toThrow('by the clock of this machine');
  });

  it('is nothing where a template gives no session', () => {
    expect(() => sessionIn(task(), [])).toThrow('gives no AWS session');
  });
});
