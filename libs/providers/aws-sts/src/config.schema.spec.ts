import { describe, expect, it } from '@jest/globals';
import { awsConfigSchema } from './config.schema.js';

const config = { region: 'eu-central-1', auth: { method: 'default-chain' } };
const production = awsConfigSchema(false);

describe('awsConfigSchema', () => {
  it('awsConfigSchema fills in what AWS has as its own', () => {
    expect(production.parse(config)).toEqual({
      ...config,
      endpoints: {},
      revocation: {
        mode: 'role-policy',
        propagationSeconds: 60,
        policyName: 'MayflyRevocations',
        budgetCharacters: 10_240,
        reservedCharacters: 2048,
      },
      trusted: { sourceIdentity: true, tags: true },
      maxSessionSeconds: 3600,
    });
  });

  it('awsConfigSchema gives a server outside AWS a token that is only for that server', () => {
    const login = { method: 'web-identity', roleArn: 'arn:aws:iam::123456789012:role/mayfly' };
    const of = (audience: string, sts: string) =>
      production.safeParse({ ...config, auth: { ...login, audience }, endpoints: { sts } }).success;
    expect(of('sts.amazonaws.com', 'https://sts.internal')).toBe(false);
    expect(of('https://vault.internal:8200', 'https://sts.internal')).toBe(false);
    expect(of('https://sts.internal', 'https://sts.internal')).toBe(true);
    expect(of('sts.amazonaws.com', 'https://amazonaws.com.evil.example')).toBe(false);
    expect(of('sts.amazonaws.com', 'https://sts.eu-central-1.amazonaws.com')).toBe(true);
  });

  it.each<[string, object]>([
    [
      'references in place of secrets',
      { auth: { method: 'static', accessKeyId: 'env:AWS_KEY', secretAccessKey: 'file:/run/key' } },
    ],
    [
      'long sessions of a user',
      { auth: { method: 'static', accessKeyId: 'a', secretAccessKey: 'b' }, maxSessionSeconds: 43_200 },
    ],
    [
      'long sessions by web identity',
      { auth: { method: 'web-identity', roleArn: 'arn:aws:iam::123456789012:role/mayfly' }, maxSessionSeconds: 43_200 },
    ],
    ['an endpoint of a private network', { endpoints: { sts: 'https://vpce-1.sts.eu-central-1.vpce.amazonaws.com' } }],
    ['no denials', { revocation: { mode: 'none' } }],
    ['an own authority', { endpoints: { sts: 'https://sts.internal' }, tls: { ca: 'file:/run/ca.pem' } }],
  ])('awsConfigSchema takes %s', (_, overrides) => {
    expect(production.safeParse({ ...config, ...overrides }).error).toBeUndefined();
  });

  it.each<[string, object]>([
    ['an unknown member', { retries: 3 }],
    ['a region that is none', { region: 'moon' }],
    ['another way to log in', { auth: { method: 'profile' } }],
    ['half a login', { auth: { method: 'static', accessKeyId: 'a' } }],
    ['long sessions for a session', { maxSessionSeconds: 3601 }],
    ['sessions under the floor', { maxSessionSeconds: 899 }],
    [
      'a budget that is all reserved',
      { revocation: { mode: 'role-policy', budgetCharacters: 2048, reservedCharacters: 2000 } },
    ],
    ['a policy name with a space', { revocation: { mode: 'role-policy', policyName: 'a b' } }],
    ['no roles', { roles: [] }],
    ['an own authority for AWS itself', { tls: { ca: 'file:/run/ca.pem' } }],
    ['an authority that is no certificate', { endpoints: { sts: 'https://a.example' }, tls: { ca: 'yes' } }],
  ])('awsConfigSchema refuses %s', (_, overrides) => {
    expect(production.safeParse({ ...config, ...overrides }).success).toBe(false);
  });

  it.each([
    'http://sts.example',
    'https://169.254.169.254',
    'https://[fd00:ec2::254]',
    'https://[::ffff:169.254.169.254]',
    'https://[64:ff9b::a9fe:a9fe]',
    'https://2852039166',
    'https://0xa9fea9fe',
    'https://metadata.google.internal',
    'https://METADATA.google.internal.',
    'https://100.100.100.200',
    'https://192.0.0.192',
    'https://[::ffff:192.0.0.192]',
    'https://[64:ff9b:1::a9fe:a9fe]',
    'https://[2002:a9fe:a9fe::1]',
    'https://key:secret@sts.example',
    'https://sts.example/path',
    'https://sts.example?x=1',
    'file:///etc/passwd',
    'sts.example',
    '',
  ])('awsConfigSchema refuses `%s` as an endpoint in production', (sts) => {
    expect(production.safeParse({ ...config, endpoints: { sts } }).success).toBe(false);
    expect(production.safeParse({ ...config, endpoints: { iam: sts } }).success).toBe(false);
  });

  it('awsConfigSchema accepts plain http only when allowed, and never a metadata service', () => {
    const development = awsConfigSchema(true);
    expect(development.safeParse({ ...config, endpoints: { sts: 'http://127.0.0.1:8000' } }).success).toBe(true);
    expect(development.safeParse({ ...config, endpoints: { sts: 'http://169.254.169.254' } }).success).toBe(false);
  });
});
