import type { LookupAddress } from 'node:dns';
import { describe, expect, it } from '@jest/globals';
import { AllowList } from './allow-list.js';
import { EgressRefused } from './egress-refused.js';
import { PublicEgress } from './public-egress.js';
import type { ResolveHost } from './guarded-lookup.js';

const strict = new PublicEgress();
const allowing = (text: string): PublicEgress => new PublicEgress(AllowList.read(text));

describe('the fault of a URL', () => {
  it.each(['https://id.example/keys', 'https://1.1.1.1/keys', 'https://[2606:4700::1111]/keys'])(
    'the egress guard finds no fault in %s',
    (url) => {
      expect(strict.refusalOf(url)).toBeUndefined();
    },
  );

  it.each([
    ['http://id.example/keys', 'use https; an operator can allow plain http there'],
    ['https://127.0.0.1/keys', 'rule `loopback`'],
    ['https://2130706433/keys', 'rule `loopback`'],
    ['https://0x7f.1/keys', 'rule `loopback`'],
    ['https://[::1]/keys', 'rule `loopback`'],
    ['https://10.0.0.5/keys', 'rule `private`'],
    ['https://10.0.0.5/keys', 'MAYFLY_EGRESS_ALLOW'],
    ['https://169.254.169.254/keys', 'no setting allows it'],
    ['http://169.254.169.254/keys', 'no setting allows it'],
    ['https://[::ffff:169.254.169.254]/keys', 'no setting allows it'],
    ['https://Metadata.Google.Internal./keys', 'rule `metadata`'],
  ])('the fault of a URL of %s says: %s', (url, words) => {
    expect(strict.refusalOf(url)?.message).toContain(words);
  });

  it('the allow-list lifts the fault of its hosts and networks, and of no others', () => {
    const egress = allowing('http://keycloak:8080, 10.0.0.0/8, http://[::1]');
    for (const url of ['http://keycloak:8080/a', 'https://keycloak:8080/a', 'https://10.0.0.5/a', 'http://[::1]:99/a'])
      expect(egress.refusalOf(url)).toBeUndefined();
    for (const url of ['http://keycloak/a', 'http://10.0.0.5/a', 'https://192.168.0.1/a', 'http://id.example'])
      expect(egress.refusalOf(url)).toBeInstanceOf(EgressRefused);
  });

  it.each(['0.0.0.0/0', '::/0'])('the fault of metadata addresses stays under the entry %s', (entry) => {
    for (const host of ['169.254.169.254', '192.0.0.192', '100.100.100.200', '[fd00:ec2::254]', '[64:ff9b::a9fe:a9fe]'])
      expect(allowing(entry).refusalOf(`https://${host}/`)?.message).toContain('no setting allows it');
  });
});

describe('the look-up', () => {
  const answer =
    (...addresses: string[]): ResolveHost =>
    (_host, _options, resolved) => {
      resolved(
        null,
        addresses.map((address): LookupAddress => ({ address, family: address.includes(':') ? 6 : 4 })),
      );
    };
  const look = (egress: PublicEgress, resolve: ResolveHost, url = 'https://id.example/') =>
    new Promise((settle, reject) => {
      egress.lookupFor(url, resolve)('id.example', { all: true }, (error, found) => {
        if (error === null) settle(found);
        else reject(error);
      });
    });

  it('the look-up passes public addresses on', async () => {
    await expect(look(strict, answer('1.1.1.1', '2606:4700::1111'))).resolves.toHaveLength(2);
  });

  it('the look-up refuses one private address among public ones, by its rule and not by the address', async () => {
    const refused = look(strict, answer('1.1.1.1', '10.0.0.1'));
    await expect(refused).rejects.toBeInstanceOf(EgressRefused);
    await expect(refused).rejects.toMatchObject({ code: 'EGRESS_REFUSED', rule: 'private' });
    await expect(refused).rejects.not.toThrow('10.0.0.1');
  });

  it('the look-up passes private addresses on for an allowed name, an allowed name and port, or an allowed network', async () => {
    for (const entry of ['id.example', 'id.example:443', '*.example.org, 10.0.0.0/8', '10.0.0.1'])
      await expect(look(allowing(entry), answer('10.0.0.1'))).resolves.toHaveLength(1);
    for (const entry of ['id.example:8443', 'other.example', '10.1.0.0/16'])
      await expect(look(allowing(entry), answer('10.0.0.1'))).rejects.toBeInstanceOf(EgressRefused);
  });

  it('the look-up refuses a metadata address also for an allowed name and inside an allowed network', async () => {
    const egress = allowing('id.example, 0.0.0.0/0, ::/0');
    for (const address of ['169.254.169.254', '192.0.0.192', '::ffff:100.100.100.200', 'fd00:ec2::254'])
      await expect(look(egress, answer(address))).rejects.toMatchObject({ code: 'EGRESS_REFUSED' });
  });

  it('the look-up fails for a name without an address and passes the resolver’s own failure on', async () => {
    await expect(look(strict, answer())).rejects.toThrow('no address');
    const failing: ResolveHost = (_host, _options, resolved) => {
      resolved(Object.assign(new Error('not found'), { code: 'ENOTFOUND' }), '');
    };
    await expect(look(strict, failing)).rejects.toMatchObject({ code: 'ENOTFOUND' });
  });
});
