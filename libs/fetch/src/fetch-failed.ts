import { EgressRefused } from '@mayfly/egress';
import { systemCodeOf } from '@mayfly/kernel';

const UNTRUSTED =
  'its certificate is from an authority that is not trusted; give it in `caFile`, or in the bundle of `https_spiffe`';

const WORDS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'its host name has no address',
  EAI_AGAIN: 'its host name cannot be resolved now',
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'it closed the connection',
  EHOSTUNREACH: 'there is no route to it',
  ENETUNREACH: 'there is no route to it',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNTRUSTED,
  SELF_SIGNED_CERT_IN_CHAIN: UNTRUSTED,
  DEPTH_ZERO_SELF_SIGNED_CERT: UNTRUSTED,
  INVALID_PURPOSE: 'its certificate is not a server certificate',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
  EPROTO: 'it does not speak TLS 1.2 or later',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS',
};

/** A fetch failed at the server or on the way to it. The message holds no URL and no address. */
export class FetchFailed extends Error {
  static from(error: unknown): Error {
    if (error instanceof FetchFailed || error instanceof EgressRefused) return error;
    if (error instanceof SyntaxError) return new FetchFailed('answered with text that is not JSON');
    if (error instanceof DOMException) return new FetchFailed('did not answer in time (timeout)');
    const code = printableCodeOf(error);
    return new FetchFailed(`${WORDS[code] ?? 'it cannot be reached'} (${code})`, { cause: error });
  }
}

/** For several addresses `net` reports an `AggregateError`; its code is that of its first error. */
function printableCodeOf(error: unknown): string {
  const code = systemCodeOf(error);
  return code !== undefined && /^\w{1,64}$/.test(code) ? code : 'unexpected';
}
