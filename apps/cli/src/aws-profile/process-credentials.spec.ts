import { describe, expect, it } from '@jest/globals';
import type { Credential, Task } from '@mayfly/client';
import { processCredentials, requireAlive, sessionIn } from './process-credentials.js';

const EXPIRES = '2026-11-22T14:15:00.000Z';
const aws = (name: string, more = {}): Credential => ({
  ...({ leaseId: 'lse_1', provider: 'aws-sts', state: 'active', revocation: 'propagating' } as const),
  ...{ name, expiresAt: EXPIRES },
  secret: { accessKeyId: name, secretAccessKey: 'S', sessionToken: 'T', expiration: EXPIRES, region: 'r', ...more },
});
const task = (...credentials: Credential[]): Task => ({
  ...({ id: 'tsk_1', state: 'active', runtime: 'r', parameters: {}, purpose: 'p' } as const),
  ...{ template: { name: 'x', version: 1 }, agent: { id: 'agt_1', name: 'a' } },
  ...{ createdAt: '2026-11-22T14:00:00.000Z', expiresAt: EXPIRES, maxExpiresAt: EXPIRES, credentials },
});

describe('what a credential process prints', () => {
  it('the output of a credential process is what AWS SDKs read, and nothing else', () => {
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

  it('the output of a credential process is the session of the picked credential', () => {
    expect(sessionIn(task(aws('one'), aws('two')), ['two'])).toMatchObject({
      name: 'two',
      session: { accessKeyId: 'two' },
    });
    expect(() => sessionIn(task(aws('one'), aws('two')), [])).toThrow('several AWS sessions');
  });

  it('the output of a credential process is never a session that has ended by the clock of this machine', () => {
    const { session } = sessionIn(task(aws('s3')), []);
    expect(() => requireAlive(session, new Date(Date.parse(EXPIRES) - 1))).not.toThrow();
    expect(() => requireAlive(session, new Date(EXPIRES))).toThrow('by the clock of this machine');
  });

  it('the output of a credential process is empty when a template gives no AWS session', () => {
    expect(() => sessionIn(task(), [])).toThrow('gives no AWS session');
  });
});
