import type { SecretFault } from '@mayfly/credentials';
import type { IssuerSpec } from '@mayfly/identity';
import type { FieldError } from '@mayfly/kernel';

/** Files of an issuer that lie where the service reads none; pointers are relative to the spec. They are read when keys are fetched. */
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
