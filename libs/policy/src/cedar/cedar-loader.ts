import { createRequire } from 'node:module';
import type * as CedarModule from '@cedar-policy/cedar-wasm/nodejs';

/** The calls of Cedar that Mayfly uses. */
export type Cedar = Pick<
  typeof CedarModule,
  'policyToJson' | 'preparsePolicySet' | 'preparseSchema' | 'statefulIsAuthorized' | 'validate'
>;

/**
 * Loads an instance of Cedar of its own, synchronously. Its package keeps one instance for each load of its module, so
 * the module is loaded afresh: a trap leaves an instance in which every later call throws.
 */
export function loadCedar(): Cedar {
  // A new `require` for each load: an older one would keep the modules that it loaded, and their memory.
  const load = createRequire(import.meta.url);
  const path = load.resolve('@cedar-policy/cedar-wasm/nodejs');
  Reflect.deleteProperty(load.cache, path);
  return load(path) as Cedar;
}
