import { request } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { AwsEndpoint } from './aws-endpoint.js';

const session = { accessKeyId: 'A', secretAccessKey: 'S', sessionToken: 'T', expiration: '2026-11-22T14:00:00Z' };

let endpoint: AwsEndpoint;
beforeEach(async () => {
  endpoint = await AwsEndpoint.start(session);
});
afterEach(() => endpoint.stop());

/** Sends a request with exactly these headers, `Host` included. */
function ask(headers: Record<string, string>, { path = '/credentials', method = 'GET' } = {}) {
  const { hostname, port } = new URL(endpoint.url);
  return new Promise<{ status: number | undefined; body: unknown }>((resolve, reject) => {
    const sent = request({ hostname, port, path, method, headers }, (response) => {
      let text = '';
      response.on('data', (part: Buffer) => (text += part.toString()));
      response.on('end', () => {
        resolve({ status: response.statusCode, body: JSON.parse(text) });
      });
    });
    sent.on('error', reject).end();
  });
}

describe('the endpoint of AWS sessions', () => {
  it('the endpoint of AWS sessions answers a caller with the token as AWS tools expect it', async () => {
    expect(await ask({ authorization: endpoint.token })).toEqual({
      status: 200,
      body: { AccessKeyId: 'A', SecretAccessKey: 'S', Token: 'T', Expiration: '2026-11-22T14:00:00Z' },
    });
  });

  it('the endpoint of AWS sessions answers with a renewed session from the next question on', async () => {
    endpoint.replace({ ...session, accessKeyId: 'B' });
    expect(await ask({ authorization: endpoint.token })).toMatchObject({ body: { AccessKeyId: 'B' } });
  });

  it.each<[string, () => Record<string, string>, object, number]>([
    ['no word', () => ({}), {}, 401],
    ['another word', () => ({ authorization: 'x'.repeat(43) }), {}, 401],
    ['half a word', () => ({ authorization: endpoint.token.slice(1) }), {}, 401],
    ['a page of a browser', () => ({ authorization: endpoint.token, origin: 'https://evil.example' }), {}, 403],
    ['a name that leads here', () => ({ authorization: endpoint.token, host: 'rebound.example' }), {}, 403],
    ['another path', () => ({ authorization: endpoint.token }), { path: '/' }, 404],
    ['another method', () => ({ authorization: endpoint.token }), { method: 'POST' }, 404],
  ])('the endpoint of AWS sessions refuses %s, and tells nothing', async (_who, headers, place, status) => {
    const answer = await ask(headers(), place);
    expect(answer.status).toBe(status);
    expect(JSON.stringify(answer.body)).not.toContain('"S"');
    expect(answer.body).toEqual({ code: expect.any(String), message: expect.any(String) });
  });

  it('the endpoint of AWS sessions listens at a loopback address only', () => {
    expect(endpoint.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/credentials$/);
  });
});
