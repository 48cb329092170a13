import {
  GetObjectCommand,
  NoSuchKey,
  PutObjectCommand,
  type PutObjectCommandInput,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import { Problem } from '@mayfly/kernel';
import type { Epoch, EpochStore, OutsideEpoch } from '@mayfly/revocation';
import { epochIn, textOf } from './epoch-text.js';

const CALL_MILLISECONDS = 5_000;
/** Precondition failed, and a concurrent conditional write. */
const LOST_RACE = new Set([409, 412]);

/** A place in S3. `endpoint` is for a store other than AWS. */
export interface S3Place {
  readonly bucket: string;
  readonly key: string;
  readonly region: string;
  readonly endpoint: string | undefined;
}

/**
 * The outside epoch in an object of S3. Writes are conditional on the object that was read (`If-Match`), so no replica
 * overwrites what another one wrote. The login comes from the SDK's default chain.
 */
export class S3EpochStore implements EpochStore {
  private readonly client: S3Client;

  constructor(private readonly place: S3Place) {
    const { region, endpoint } = place;
    this.client = new S3Client({
      region,
      maxAttempts: 2,
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      requestHandler: {
        connectionTimeout: CALL_MILLISECONDS,
        requestTimeout: CALL_MILLISECONDS,
        throwOnRequestTimeout: true,
      },
      ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
    });
  }

  async read(): Promise<OutsideEpoch | undefined> {
    const { bucket: Bucket, key: Key } = this.place;
    try {
      const { Body: body, ETag: version } = await this.client.send(new GetObjectCommand({ Bucket, Key }));
      return { ...epochIn((await body?.transformToString()) ?? ''), version: version ?? '' };
    } catch (error) {
      if (error instanceof NoSuchKey) return undefined;
      throw unusable(error);
    }
  }

  async write(epoch: Epoch, at: Date, version: string | undefined): Promise<boolean> {
    if (version === undefined) return this.put(epoch, at, { IfNoneMatch: '*' });
    if (await this.put(epoch, at, { IfMatch: version })) return true;
    // Ceph compares the tag without its quotes (RFC 9110 §8.8.3 has them), and so refuses every quoted one.
    const plain = version.replaceAll('"', '');
    return plain !== version && (await this.read())?.version === version && this.put(epoch, at, { IfMatch: plain });
  }

  private async put(
    epoch: Epoch,
    at: Date,
    condition: Pick<PutObjectCommandInput, 'IfMatch' | 'IfNoneMatch'>,
  ): Promise<boolean> {
    const { bucket: Bucket, key: Key } = this.place;
    const object = { Bucket, Key, Body: textOf(epoch, at), ContentType: 'application/json' };
    try {
      await this.client.send(new PutObjectCommand({ ...object, ...condition }));
      return true;
    } catch (error) {
      if (error instanceof S3ServiceException && LOST_RACE.has(error.$metadata.httpStatusCode ?? 0)) return false;
      throw unusable(error);
    }
  }
}

function unusable(cause: unknown): Problem {
  if (cause instanceof Problem) return cause;
  const name = cause instanceof Error ? cause.name : 'unknown error';
  const detail = `MAYFLY_EPOCH_URL: the object cannot be read or written (${name}); allow s3:GetObject, s3:PutObject and s3:ListBucket, or name another bucket`;
  return new Problem('unavailable', detail, { cause, retryAfterSeconds: 5 });
}
