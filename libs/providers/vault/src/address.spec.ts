import { describe, expect, it } from '@jest/globals';
import { addressFault } from './address.js';

describe('the address of a server', () => {
  it.each([
    'https://vault.internal:8200',
    'https://10.0.0.7',
    'https://[2001:db8::7]:8200',
    'https://gateway.example/vault',
  ])('the address of a server takes %s', (address) => {
    expect(addressFault(address, false)).toBeUndefined();
  });

  it.each([
    'http://vault.internal:8200',
    'vault.internal',
    'file:///etc/passwd',
    'https://user:pass@vault.internal',
    'https://vault.internal?list=true',
    'https://vault.internal#x',
    'https://vault.internal/a/../v1/sys',
    'https://vault.internal/%2e%2e/x',
    'https://169.254.169.254',
    'https://0xa9fea9fe',
    'https://2852039166',
    'https://0251.0376.0251.0376',
    'https://[fe80::1]',
    'https://[::ffff:169.254.169.254]',
    'https://[fd00:ec2::254]',
    'https://metadata.google.internal',
    'https://metadata.google.internal.',
    'https://100.100.100.200',
    'https://192.0.0.192',
    'https://168.63.129.16',
    'https://[64:ff9b::a9fe:a9fe]',
    'https://[64:ff9b:1::a9fe:a9fe]',
    'https://[2002:a9fe:a9fe::1]',
    'https://[fd00:ec2::23]',
    'https://0.0.0.0',
    'https://[::]',
  ])('the address of a server refuses %s', (address) => {
    expect(addressFault(address, false)).toEqual(expect.any(String));
  });

  it('the address of a server takes plain http only where that is allowed', () => {
    expect(addressFault('http://127.0.0.1:8200', true)).toBeUndefined();
    expect(addressFault('http://169.254.169.254', true)).toEqual(expect.any(String));
  });
});
