// `node --import ./tools/run-typescript.mjs x.ts` runs the sources as they are: specs that kill a process start
// the child so, and never test a stale build.
import { register } from 'node:module';

register('./typescript-hooks.mjs', import.meta.url);
