import { randomUUID } from 'node:crypto';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { openEpochStore } from '@mayfly/epoch';
import { epochStoreSuite } from '@mayfly/testing';
import { rgwAbsence, type RgwServer, startRgw } from './rgw-server.js';

const absence = rgwAbsence();
if (absence !== undefined) console.warn(`SKIPPED SUITE the epoch in S3: ${absence}`);
const EPOCH = { lineage: 'one', sequence: 1, leaf: 'leaf' };

(absence === undefined ? describe : describe.skip)("the epoch in S3, on Ceph's gateway", () => {
  const bucket = `epochs-${randomUUID()}`;
  const environment = { ...process.env };
  let server: RgwServer;
  const open = (key: string, at = bucket) => openEpochStore(`s3://${at}/${key}?endpoint=${server.endpoint}`);

  beforeAll(async () => {
    server = await startRgw();
    const { endpoint, accessKeyId, secretAccessKey } = server;
    const client = new S3Client({
      ...{ endpoint, region: 'us-east-1', forcePathStyle: true },
      credentials: { accessKeyId, secretAccessKey },
    });
    await client.send(new CreateBucketCommand({ Bucket: bucket }));
    client.destroy();
    Object.assign(process.env, { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey });
  }, 60_000);
  afterAll(() => {
    process.env = environment;
  });

  epochStoreSuite(async () => {
    const key = `mayfly/${randomUUID()}.json`;
    return [await open(key), await open(key)];
  });

  it('one of several first writes at once succeeds, and the others write nothing', async () => {
    const key = randomUUID();
    const writes = [1, 2, 3, 4].map(async () => (await open(key)).write(EPOCH, new Date(), undefined));
    expect((await Promise.all(writes)).filter(Boolean)).toHaveLength(1);
  });

  it('a bucket that is missing is refused, and is no missing epoch', async () => {
    await expect((await open('epoch.json', 'no-such-bucket')).read()).rejects.toThrow(
      /MAYFLY_EPOCH_URL: the object cannot be read or written \(NoSuchBucket\)/,
    );
  });

  it('a login without rights is refused with the rights to give', async () => {
    const kept = process.env.AWS_SECRET_ACCESS_KEY;
    process.env.AWS_SECRET_ACCESS_KEY = 'wrong';
    const store = await open('epoch.json');
    await expect(store.read()).rejects.toThrow(/MAYFLY_EPOCH_URL.*allow s3:GetObject, s3:PutObject and s3:ListBucket/);
    process.env.AWS_SECRET_ACCESS_KEY = kept;
  });
});
