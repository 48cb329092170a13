import { describe, expect, it } from '@jest/globals';
import { clientLibrary } from './client-library.js';

describe('the library of a back end', () => {
  it('the library of a back end is what the import gives', async () => {
    await expect(clientLibrary('some-client', async () => 'loaded')).resolves.toBe('loaded');
  });

  it('the library of a back end is named in a problem when it cannot be loaded', async () => {
    const missing = () => Promise.reject(new Error('Cannot find package'));
    await expect(clientLibrary('some-client', missing)).rejects.toMatchObject({
      code: 'provider_unavailable',
      detail: 'the library `some-client` cannot be loaded; install the packages of Mayfly again and restart it',
    });
  });
});
