import type { SecretFault } from '@mayfly/credentials';
import type { IssuerSpec } from '@mayfly/identity';
import type { FieldError } from '@mayfly/kernel';

/**
 * Returns the files of an issuer that the service may not read; pointers are relative to the spec. Does not read the
 * files: the service reads them when it fetches keys.
 */
export function findIssuerFileFaults({ caFile, keys }: IssuerSpec, secretFault: SecretFault): FieldError[] {
  const endpoint = keys.bundleEndpoint;
  const files: readonly (readonly [string, string | undefined])[] = [
    ['/caFile', caFile],
    ['/keys/bundleEndpoint/bundleFile', endpoint?.profile === 'https_spiffe' ? endpoint.bundleFile : undefined],
  ];
  return files.flatMap(([pointer, path]) => {
    const fault = path === undefined ? undefined : secretFault(`file:${path.replace(/^file:/, '')}`);
    return fault === undefined ? [] : [{ pointer, detail: fault }];
  });
}
