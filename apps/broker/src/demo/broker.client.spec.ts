import { createServer, type AddressInfo } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { BrokerClient } from './broker.client.js';

/** An address at which nobody listens any more. */
async function deadAddress(): Promise<string> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return `http://127.0.0.1:${String(port)}`;
}

describe('the demo against an address that does not answer', () => {
  it('the demo against an address that does not answer names the address and the fact, at every door', async () => {
    const url = await deadAddress();
    const broker = new BrokerClient(url);
    const refusal = `${url} does not answer (ECONNREFUSED)`;
    await expect(broker.requestTask('token', 'purpose')).rejects.toThrow(refusal);
    await expect(broker.isActive('token', 'credential')).rejects.toThrow(refusal);
  });
});
