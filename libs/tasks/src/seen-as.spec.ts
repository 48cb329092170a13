import { describe, expect, it } from '@jest/globals';
import { newId } from '@mayfly/kernel';
import { leaseSeenAs } from './seen-as.js';

const lease = newId('lse');
const role = `mayfly_${lease.slice(4)}`;

describe('the lease that a log shows', () => {
  it.each([
    ['a database role', role],
    ['a quoted database role', `"${role}"`],
    ['the name of an AWS session, the id in the metadata of a Vault token, and the `jti` of a token', lease],
    ['the ARN of an AWS session', `arn:aws:sts::123456789012:assumed-role/crm-export/${lease}`],
    ['a database user whose name Vault makes of the display name', `v-token-mayfly-${lease.slice(4)}-Hx3a`],
    ['the `userid` of an AWS session', `AROAEXAMPLE:${lease}`],
  ])('the lease that a log shows is found by %s', (_, name) => {
    expect(leaseSeenAs(name)).toBe(lease);
  });

  it.each([
    ['nothing', ''],
    ['another role', 'postgres'],
    ['a scope role', `mayfly_scope_${'a'.repeat(40)}`],
    ['a longer name', `${role}x`],
    ['a name that only ends like it', `x${role}`],
    ['a digit that no id has', `mayfly_${'u'.repeat(26)}`],
    ['the id of a task', newId('tsk')],
  ])('the lease that a log shows is not found by %s', (_, name) => {
    expect(leaseSeenAs(name)).toBeUndefined();
  });
});
