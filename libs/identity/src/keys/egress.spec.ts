import { describe, expect, it } from '@jest/globals';
import { egressError, isPublicAddress } from './egress.js';

describe('isPublicAddress', () => {
  it.each(['1.1.1.1', '93.184.216.34', '172.15.255.255', '172.32.0.0', '2606:4700::1111', '2a00:1450::1'])(
    'lets %s pass',
    (address) => {
      expect(isPublicAddress(address)).toBe(true);
    },
  );

  it.each([
    ['this host', '0.0.0.0'],
    ['private', '10.1.2.3'],
    ['shared', '100.64.0.1'],
    ['loopback', '127.0.0.1'],
    ['all of loopback', '127.255.255.254'],
    ['metadata', '169.254.169.254'],
    ['private', '172.16.0.1'],
    ['private', '172.31.255.255'],
    ['metadata of another cloud', '192.0.0.192'],
    ['private', '192.168.0.1'],
    ['multicast', '224.0.0.1'],
    ['broadcast', '255.255.255.255'],
    ['loopback', '::1'],
    ['unspecified', '::'],
    ['mapped IPv4', '::ffff:10.0.0.1'],
    ['mapped public IPv4', '::ffff:1.1.1.1'],
    ['NAT64', '64:ff9b::a00:1'],
    ['Teredo', '2001::1'],
    ['6to4', '2002:a00:1::'],
    ['documentation', '2001:db8::1'],
    ['unique-local', 'fd00:ec2::254'],
    ['link-local', 'fe80::1'],
    ['multicast', 'ff02::1'],
    ['no address', 'example.org'],
    ['nothing', ''],
  ])('refuses %s: %s', (_, address) => {
    expect(isPublicAddress(address)).toBe(false);
  });
});

describe('egressError', () => {
  it.each([
    ['https://id.example/keys', undefined],
    ['https://1.1.1.1/keys', undefined],
    ['http://id.example/keys', 'use https'],
    ['https://127.0.0.1/keys', 'public address'],
    ['https://2130706433/keys', 'public address'],
    ['https://0x7f.1/keys', 'public address'],
    ['https://[::1]/keys', 'public address'],
    ['https://[::ffff:169.254.169.254]/keys', 'public address'],
  ])('judges %s', (url, words) => {
    const error = egressError(url, { trustedHosts: [] });
    if (words === undefined) expect(error).toBeUndefined();
    else expect(error).toContain(words);
  });

  it('believes the operator about a host, and about no other', () => {
    const egress = { trustedHosts: ['127.0.0.1', '::1', 'ci.internal'] };
    expect(egressError('http://127.0.0.1:8420/keys', egress)).toBeUndefined();
    expect(egressError('http://[::1]:8420/keys', egress)).toBeUndefined();
    expect(egressError('http://ci.internal/keys', egress)).toBeUndefined();
    expect(egressError('http://ci.internal.evil.example/keys', egress)).toBe('use https');
    expect(egressError('https://127.0.0.2/keys', egress)).toContain('public address');
  });
});
