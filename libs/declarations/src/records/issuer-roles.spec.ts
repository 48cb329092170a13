import { describe, expect, it } from '@jest/globals';
import { refuseRoles } from './issuer-roles.js';

const plain = { kind: 'Issuer', spec: { issuer: 'https://ci.example' } } as const;
const ofPeople = {
  kind: 'Issuer',
  spec: { ...plain.spec, roles: { auditor: { claim: 'groups', values: ['a'] } } },
} as const;

describe('a change over the API', () => {
  it.each([
    ['makes an issuer with roles', undefined, ofPeople],
    ['gives an issuer roles', plain, ofPeople],
    ['takes the roles of an issuer away', ofPeople, plain],
    ['deletes an issuer with roles', ofPeople, undefined],
  ])('a change over the API is refused when it %s', (_, before, after) => {
    expect(() => {
      refuseRoles(before, after);
    }).toThrow(
      expect.objectContaining({
        code: 'policy_denied',
        extensions: expect.objectContaining({ control: 'issuer-roles' }),
      }),
    );
  });

  it('a change over the API is open to issuers without roles, and to documents of another kind', () => {
    expect(() => {
      refuseRoles(plain, { kind: 'Agent', spec: { roles: {} } });
    }).not.toThrow();
  });
});
