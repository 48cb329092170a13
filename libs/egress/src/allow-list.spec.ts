import { describe, expect, it } from '@jest/globals';
import { AllowList, InvalidAllowList } from './allow-list.js';

const list = AllowList.read(
  'keycloak.internal, Dex.Internal:5556, http://plain:8080, *.svc.cluster.local, *.corp, 10.1.0.0/16, 192.168.1.4:8443, fd12::1, [fd13::1]:8443,',
);

describe('the allow-list', () => {
  it.each([
    ['keycloak.internal', 443, true],
    ['keycloak.internal', 8443, true],
    ['keycloak.internal.evil.example', 443, false],
    ['sub.keycloak.internal', 443, false],
    ['dex.internal', 5556, true],
    ['dex.internal', 443, false],
    ['plain', 8080, true],
    ['plain', 80, false],
    ['a.svc.cluster.local', 443, true],
    ['a.b.svc.cluster.local', 443, true],
    ['svc.cluster.local', 443, false],
    ['id.corp', 443, true],
    ['corp', 443, false],
    ['evilsvc.cluster.local', 443, false],
    ['10.1.2.3', 443, true],
    ['10.2.0.1', 443, false],
    ['192.168.1.4', 8443, true],
    ['192.168.1.4', 443, false],
    ['fd12::1', 443, true],
    ['fd13::1', 8443, true],
    ['fd13::1', 443, false],
  ])('the allow-list allows the host %s at port %d: %s', (host, port, isAllowed) => {
    expect(list.allowsHost(host, port)).toBe(isAllowed);
  });

  it.each([
    ['10.1.255.255', 443, true],
    ['::ffff:10.1.2.3', 443, true],
    ['10.2.0.1', 443, false],
    ['192.168.1.4', 8443, true],
    ['192.168.1.4', 443, false],
    ['fd12:0::1', 443, true],
  ])('the allow-list allows any name that leads to %s at port %d: %s', (address, port, isAllowed) => {
    expect(list.allowsAddress(address, port)).toBe(isAllowed);
  });

  it('the allow-list allows plain http only where an entry says http://', () => {
    expect(list.allowsPlainHttp('plain', 8080)).toBe(true);
    expect(list.allowsPlainHttp('keycloak.internal', 80)).toBe(false);
  });

  it.each([
    ['169.254.169.254', 'are always refused'],
    ['169.254.0.0/16', 'are always refused'],
    ['[fd00:ec2::254]:80', 'are always refused'],
    ['::ffff:169.254.169.254', 'are always refused'],
    ['metadata.google.internal', 'are always refused'],
    ['10.0.0.0/33', 'a network such as'],
    ['10.0.0.5/8', 'first address'],
    ['a/8', 'a network such as'],
    ['http://10.0.0.0/8', 'without a scheme'],
    ['*', 'a host name'],
    ['a.*.b', 'a host name'],
    ['2130706433', 'a host name or an address written out'],
    ['0x7f.1', 'a host name or an address written out'],
    ['127.1', 'a host name or an address written out'],
    ['host:0', 'host:port'],
    ['host:70000', 'host:port'],
    ['http://host:80/path', 'without a scheme'],
    ['ho st', 'a host name'],
  ])('the allow-list refuses the entry %s and names its position, not its text', (entry, words) => {
    const act = () => AllowList.read(`ok.example, ${entry}`);
    expect(act).toThrow(InvalidAllowList);
    expect(act).toThrow(/^entry 2: /);
    expect(act).toThrow(words);
    if (entry.length > 8) expect(act).not.toThrow(entry);
  });

  it('the allow-list is empty when it is not set', () => {
    expect(AllowList.read('').allowsHost('a', 443)).toBe(false);
  });
});
