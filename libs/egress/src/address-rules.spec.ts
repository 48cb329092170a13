import { describe, expect, it } from '@jest/globals';
import { egressRuleOf, isAlwaysRefused } from './address-rules.js';
import { connectionAddressFault, connectionHostFault } from './connection-egress.js';

/**
 * Every spelling of 169.254.169.254 and of the other metadata addresses that some socket, gateway or tunnel
 * understands.
 */
const METADATA = [
  '169.254.169.254',
  '169.254.170.2',
  '169.254.0.1',
  '100.100.100.200',
  '192.0.0.192',
  '168.63.129.16',
  'fd00:ec2::254',
  'fd00:ec2::23',
  'fd20:ce::254',
  'fd00:42::42',
  'fe80::a9fe:a9fe',
  'fe80::a9fe:a9fe%eth0',
  'febf::1',
  '::ffff:169.254.169.254',
  '::ffff:a9fe:a9fe',
  '::169.254.169.254',
  '::ffff:0:169.254.169.254',
  '64:ff9b::a9fe:a9fe',
  '64:ff9b::169.254.169.254',
  '64:ff9b::c000:c0',
  '64:ff9b:1::a9fe:a9fe',
  '64:ff9b:1:a9fe:a9:fe00::',
  '64:ff9b:1:aa:a9:fea9:fe00::',
  '64:ff9b:1:aa00:a9:fea9:fe00:0',
  '64:ff9b:1::192.0.0.192',
  '2002:a9fe:a9fe::1',
  '2002:6464:64c8::',
  '2001:0:a9fe:a9fe::',
  '2001:0:1:1:0:0:5601:5601',
  'fd12::5efe:169.254.169.254',
  '2001:db8::200:5efe:c000:c0',
];

describe('the rule of an address', () => {
  it.each(METADATA)('the address rules always refuse %s as a metadata or link-local address', (address) => {
    expect(isAlwaysRefused(egressRuleOf(address))).toBe(true);
    expect(connectionAddressFault(address)?.message).toContain('no setting allows it');
  });

  it.each([
    '1.1.1.1',
    '93.184.216.34',
    '172.15.255.255',
    '172.32.0.0',
    '100.63.255.255',
    '169.253.0.1',
    '2606:4700::1111',
    '2a00:1450::1',
  ])('the address rules find no fault in the public address %s', (address) => {
    expect(egressRuleOf(address)).toBeUndefined();
  });

  it.each([
    ['unspecified', '0.0.0.0'],
    ['unspecified', '::'],
    ['private', '10.1.2.3'],
    ['private', '172.16.0.1'],
    ['private', '172.31.255.255'],
    ['private', '192.168.0.1'],
    ['private', 'fd12::1'],
    ['shared', '100.64.0.1'],
    ['loopback', '127.0.0.1'],
    ['loopback', '127.255.255.254'],
    ['loopback', '::1'],
    ['multicast', '224.0.0.1'],
    ['multicast', 'ff02::1'],
    ['reserved', '255.255.255.255'],
    ['reserved', '192.0.0.1'],
    ['reserved', '2001:db8::1'],
    ['reserved', '4000::1'],
    ['embedded-ipv4', '::ffff:10.0.0.1'],
    ['embedded-ipv4', '::ffff:1.1.1.1'],
    ['embedded-ipv4', '64:ff9b::a00:1'],
    ['embedded-ipv4', '64:ff9b:1::a00:1'],
    ['embedded-ipv4', '2001::1'],
    ['embedded-ipv4', '2002:a00:1::'],
    ['reserved', 'example.org'],
    ['reserved', ''],
  ])('the rule `%s` holds for %s, which connections may use and issuers may not', (rule, address) => {
    expect(egressRuleOf(address)).toBe(rule);
    expect(connectionAddressFault(address)).toBeUndefined();
  });
});

describe('the host of a connection', () => {
  it.each(['vault.internal', '10.0.0.7', '127.0.0.1', '[fd12::1]', 'db.metadata.example'])(
    'the host of a connection may be %s',
    (host) => {
      expect(connectionHostFault(host)).toBeUndefined();
    },
  );

  it.each([...METADATA.filter((address) => !address.includes('%')), '[fd00:ec2::254]', 'METADATA.google.internal.'])(
    'the host of a connection may not be %s',
    (host) => {
      expect(connectionHostFault(host)).toMatch(/rule `(metadata|link-local)`/);
    },
  );
});
