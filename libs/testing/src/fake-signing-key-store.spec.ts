import { describe, expect, it } from '@jest/globals';
import { FakeSigningKeyStore } from './fake-signing-key-store.js';
import { signingKeyStoreSuite } from './suites/signing-key-store.suite.js';

signingKeyStoreSuite(() => {
  const access = new FakeSigningKeyStore();
  return (purpose) => new FakeSigningKeyStore(purpose, access);
});

describe('FakeSigningKeyStore', () => {
  it('FakeSigningKeyStore is unavailable when it is down', async () => {
    const store = new FakeSigningKeyStore();
    store.down = true;
    await expect(store.list()).rejects.toMatchObject({ code: 'unavailable' });
  });
});
