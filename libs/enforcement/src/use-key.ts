import type { Principal } from '@mayfly/identity';
import { digestOf } from '@mayfly/kernel';

/** Returns the key of a use: an enforcement point's id of its request is its own, whatever ids others have. */
export function useKey({ identity }: Pick<Principal, 'identity'>, requestId: string | undefined): string | undefined {
  if (requestId === undefined) return undefined;
  return digestOf({ issuer: identity.issuerUrl, subject: identity.subject, requestId });
}
