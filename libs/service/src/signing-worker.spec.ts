import { generateKeyPairSync, verify } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { SigningWorker } from './signing-worker.js';

const ed25519 = () => generateKeyPairSync('ed25519');

describe('the signing worker', () => {
  let worker = new SigningWorker();
  afterEach(async () => {
    await worker.close();
    worker = new SigningWorker();
    jest.restoreAllMocks();
  });

  it('the signing worker signs each of many texts that arrive together with its own key and algorithm', async () => {
    const keys = [
      { algorithm: 'EdDSA' as const, ...ed25519(), digest: null },
      { algorithm: 'EdDSA' as const, ...ed25519(), digest: null },
      { algorithm: 'ES256' as const, ...generateKeyPairSync('ec', { namedCurve: 'P-256' }), digest: 'sha256' },
    ];
    await Promise.all(
      Array.from({ length: 300 }, async (_, n) => {
        const { algorithm, privateKey, publicKey, digest } = keys[n % 7 === 0 ? 1 : n % 11 === 0 ? 2 : 0]!;
        const input = `text ${String(n)} – größer`;
        const signature = await worker.sign(algorithm, privateKey, input);
        const key = { key: publicKey, dsaEncoding: 'ieee-p1363' as const };
        expect(verify(digest, Buffer.from(input), key, signature)).toBe(true);
        expect(verify(digest, Buffer.from(`${input}.`), key, signature)).toBe(false);
      }),
    );
  });

  it('the signing worker sends one message for all texts that wait', async () => {
    const post = jest.spyOn(Worker.prototype, 'postMessage');
    const { privateKey } = ed25519();
    await Promise.all(Array.from({ length: 100 }, (_, n) => worker.sign('EdDSA', privateKey, String(n))));
    expect(post.mock.calls).toHaveLength(1);
    await worker.sign('EdDSA', privateKey, 'one more');
    expect(post.mock.calls.map(([order]) => 'key' in (order as object))).toEqual([true, false]);
  });

  it('the signing worker fails the waiting texts with `unavailable` when its thread ends, and then starts another thread', async () => {
    const { privateKey, publicKey } = ed25519();
    await worker.sign('EdDSA', privateKey, 'first');
    const post = jest.spyOn(Worker.prototype, 'postMessage').mockImplementationOnce(function (this: Worker) {
      void this.terminate();
    });
    await expect(worker.sign('EdDSA', privateKey, 'second')).rejects.toMatchObject({ code: 'unavailable' });
    post.mockRestore();
    const signature = await worker.sign('EdDSA', privateKey, 'third');
    expect(verify(null, Buffer.from('third'), publicKey, signature)).toBe(true);
  });

  it('the signing worker fails with `unavailable`, and signs again, after an order that the thread cannot carry out', async () => {
    const { publicKey, privateKey } = ed25519();
    await expect(worker.sign('EdDSA', publicKey, 'not with a public key')).rejects.toMatchObject({
      code: 'unavailable',
    });
    await expect(worker.sign('EdDSA', privateKey, 'x')).resolves.toHaveLength(64);
  });

  it('the signing worker keeps the thread that follows a failed one, also when the failed one has ended', async () => {
    const { publicKey, privateKey } = ed25519();
    const post = jest.spyOn(Worker.prototype, 'postMessage');
    await worker.sign('EdDSA', publicKey, 'not with a public key').catch(() => undefined);
    await worker.sign('EdDSA', privateKey, 'x');
    const failed = post.mock.contexts[0] as Worker;
    if (failed.threadId !== -1) await new Promise((resolve) => failed.once('exit', resolve));
    await worker.sign('EdDSA', privateKey, 'y');
    expect(post.mock.contexts[2]).toBe(post.mock.contexts[1]);
  });

  it('the signing worker does not keep the process alive', async () => {
    const holding = () => process.getActiveResourcesInfo().filter((name) => /Worker|MessagePort/.test(name)).length;
    const before = holding();
    await worker.sign('EdDSA', ed25519().privateKey, 'x');
    expect(holding()).toBe(before);
  });
});
