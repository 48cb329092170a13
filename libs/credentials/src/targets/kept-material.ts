import type { Json, JsonObject, LeaseId } from '@mayfly/kernel';
import type { Sealing } from './sealing.js';

const contextOf = (leaseId: LeaseId): string => `probe:${leaseId}`;

/** Seals the material with which Mayfly uses a credential after its end, bound to the lease. */
export function sealMaterial(sealing: Sealing, leaseId: LeaseId, material: JsonObject): Buffer {
  return sealing.seal(JSON.stringify(material), contextOf(leaseId));
}

/** Returns the material. Throws as `Sealing.open` does. */
export function openMaterial(sealing: Sealing, leaseId: LeaseId, sealedMaterial: Uint8Array): Json {
  return JSON.parse(sealing.open(sealedMaterial, contextOf(leaseId)).toString('utf8')) as Json;
}
