import type { Account, Principal } from './account.js';
import { AwsError, xml, type Call } from './answers.js';

/** Answer of the object store. */
export interface StoreAnswer {
  readonly body: Buffer | string;
  readonly type?: string;
}

/** Buckets with objects, addressed by path: the part of S3 that reads, writes and lists. */
export class S3 {
  constructor(private readonly account: Account) {}

  answer({ method, path, form, body }: Call, caller: Principal): StoreAnswer {
    const [, bucket = '', ...rest] = decodeURIComponent(path).split('/');
    const key = rest.join('/');
    const bucketArn = `arn:aws:s3:::${bucket}`;
    if (bucket === '') return this.listBuckets(caller);
    if (key === '') return this.onBucket(method, bucket, form, caller);
    const action = { GET: 's3:GetObject', HEAD: 's3:GetObject', PUT: 's3:PutObject', DELETE: 's3:DeleteObject' }[
      method
    ];
    this.authorize(caller, action ?? 's3:Unknown', `${bucketArn}/${key}`);
    const objects = this.objects(bucket);
    if (method === 'PUT') objects.set(key, body);
    if (method === 'DELETE') objects.delete(key);
    if (method === 'PUT' || method === 'DELETE') return { body: '' };
    const object = objects.get(key);
    if (object === undefined) throw new AwsError('NoSuchKey', 404, 'The specified key does not exist.');
    return { body: object, type: 'binary/octet-stream' };
  }

  private onBucket(method: string, bucket: string, form: URLSearchParams, caller: Principal): StoreAnswer {
    const arn = `arn:aws:s3:::${bucket}`;
    if (method === 'PUT') {
      this.authorize(caller, 's3:CreateBucket', arn);
      this.account.buckets.set(bucket, new Map());
      return { body: '' };
    }
    const prefix = form.get('prefix');
    const context = new Map(prefix === null ? [] : [['s3:prefix', [prefix]] as const]);
    this.authorize(caller, 's3:ListBucket', arn, context);
    const found = [...this.objects(bucket)].filter(([key]) => key.startsWith(prefix ?? '')).sort();
    const contents = found.map(
      ([key, body]) =>
        `<Contents>${xml({ Key: key, Size: body.length, LastModified: new Date(0).toISOString() })}</Contents>`,
    );
    return {
      body: `<ListBucketResult>${xml({ Name: bucket, KeyCount: found.length, IsTruncated: 'false' })}${contents.join('')}</ListBucketResult>`,
    };
  }

  private listBuckets(caller: Principal): StoreAnswer {
    this.authorize(caller, 's3:ListAllMyBuckets', '*');
    const buckets = [...this.account.buckets.keys()].map((name) => `<Bucket>${xml({ Name: name })}</Bucket>`);
    return { body: `<ListAllMyBucketsResult><Buckets>${buckets.join('')}</Buckets></ListAllMyBucketsResult>` };
  }

  private objects(bucket: string): Map<string, Buffer> {
    const objects = this.account.buckets.get(bucket);
    if (objects === undefined) throw new AwsError('NoSuchBucket', 404, 'The specified bucket does not exist');
    return objects;
  }

  private authorize(
    caller: Principal,
    action: string,
    resource: string,
    more?: ReadonlyMap<string, readonly string[]>,
  ): void {
    const context = new Map([...this.account.contextOf(caller), ...(more ?? [])]);
    if (!this.account.allows(caller, { action, resource, context }))
      throw new AwsError('AccessDenied', 403, 'Access Denied');
  }
}
