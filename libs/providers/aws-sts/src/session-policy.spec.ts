import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { compileSessionPolicy, policyCharacters, policyInstant, policyTime } from './session-policy.js';
import { PolicySchema, type Policy } from './policy.schema.js';

const policyOf = (...actions: string[]): Policy =>
  PolicySchema.parse({
    Version: '2012-10-17',
    Statement: actions.map((Action) => ({ Effect: 'Allow', Action, Resource: 'arn:aws:s3:::crm/*' })),
  });
const read = (text: string) => JSON.parse(text) as Policy;
const noRoles = { Effect: 'Deny', Action: 'sts:AssumeRole*', Resource: '*' };

describe('compileSessionPolicy', () => {
  it('compileSessionPolicy adds a denial of everything from the deadline on, and of other roles', () => {
    const compiled = read(compileSessionPolicy(policyOf('s3:GetObject'), new Date('2030-01-01T00:01:00.999Z')));
    expect(compiled).toEqual({
      Version: '2012-10-17',
      Statement: [
        ...policyOf('s3:GetObject').Statement,
        {
          Effect: 'Deny',
          Action: '*',
          Resource: '*',
          Condition: { DateGreaterThanEquals: { 'aws:CurrentTime': '2030-01-01T00:01:00Z' } },
        },
        noRoles,
      ],
    });
  });

  it.each(['sts:AssumeRole', 'STS:assumerole'])(
    'compileSessionPolicy lets a template that allows `%s` take other roles',
    (action) => {
      const { Statement } = read(compileSessionPolicy(policyOf('s3:GetObject', action), new Date(0)));
      expect(Statement).not.toContainEqual(noRoles);
    },
  );

  it('compileSessionPolicy is what the template says and denials, whatever the template says and whenever it ends', () => {
    const actions = fc.array(fc.constantFrom('s3:GetObject', 's3:PutObject', 'sts:AssumeRole', 'dynamodb:GetItem'), {
      minLength: 1,
      maxLength: 5,
    });
    const deadline = fc.date({ min: new Date(0), max: new Date('9000-01-01'), noInvalidDate: true });
    fc.assert(
      fc.property(actions, deadline, (names, at) => {
        const policy = policyOf(...names);
        const text = compileSessionPolicy(policy, at);
        const { Statement } = read(text);
        expect(Statement.slice(0, names.length)).toEqual(policy.Statement);
        expect(Statement.slice(names.length).every(({ Effect }) => Effect === 'Deny')).toBe(true);
        expect(policyInstant(at) <= at).toBe(true);
        expect(policyTime(at)).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
        expect(text).toHaveLength(policyCharacters(policy));
      }),
    );
  });

  it('compileSessionPolicy counts the ARNs of managed policies', () => {
    const policy = policyOf('s3:GetObject');
    expect(policyCharacters(policy, ['12345', '678'])).toBe(policyCharacters(policy) + 8);
  });
});
