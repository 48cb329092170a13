import * as module from 'node:module';
import { fileURLToPath } from 'node:url';

/** The part of `node:module` that Node has from 22.8 on (Node's documentation of `module.enableCompileCache`). */
interface CompileCache {
  readonly enableCompileCache?: (directory: string) => unknown;
}

/**
 * Lets Node keep the compiled code of the broker in `compile-cache` beside it; later imports are taken from there. A
 * directory that cannot be written makes the next start slower, nothing else. `NODE_DISABLE_COMPILE_CACHE=1` turns the
 * cache off.
 */
export function enableCompileCache(): void {
  (module as CompileCache).enableCompileCache?.(fileURLToPath(new URL('compile-cache', import.meta.url)));
}
