import { fileURLToPath } from 'node:url';
import type { EpochStore } from '@mayfly/revocation';
import { FileEpochStore } from './file-epoch.store.js';

/**
 * Returns why a text names no place for the epoch, or undefined. Places are `file:///path` and
 * `s3://bucket/key?region=…&endpoint=…`.
 */
export function epochUrlFault(text: string): string | undefined {
  if (!URL.canParse(text)) return FORM;
  const url = new URL(text);
  if (url.pathname.length < 2) return FORM;
  if (url.protocol === 'file:') return url.host === '' ? undefined : FORM;
  return url.protocol === 's3:' && url.host !== '' ? s3Fault(url) : FORM;
}

function s3Fault(url: URL): string | undefined {
  if (url.username + url.password !== '') return 'leave the login out; the AWS SDK finds it';
  const unknown = [...url.searchParams.keys()].find((name) => name !== 'region' && name !== 'endpoint');
  if (unknown !== undefined) return `leave \`${unknown}\` out; it takes \`region\` and \`endpoint\``;
  const endpoint = url.searchParams.get('endpoint');
  return endpoint === null || /^https?:\/\/[^/@]+\/?$/.test(endpoint) ? undefined : 'use a URL as `endpoint`';
}

const FORM = 'use file:///path/of/a/file or s3://bucket/key?region=…';
const DEFAULT_REGION = 'us-east-1';

/** Opens the place that a URL without a fault names. Loads the client of S3 only for a place in S3. */
export async function openEpochStore(text: string): Promise<EpochStore> {
  const url = new URL(text);
  if (url.protocol === 'file:') return new FileEpochStore(fileURLToPath(url));
  const { S3EpochStore } = await import('./s3-epoch.store.js');
  return new S3EpochStore({
    bucket: url.host,
    key: decodeURIComponent(url.pathname.slice(1)),
    region: url.searchParams.get('region') ?? DEFAULT_REGION,
    endpoint: url.searchParams.get('endpoint') ?? undefined,
  });
}
