// `node --import ./tools/run-typescript.mjs x.ts` runs TypeScript sources directly. Specs that kill a process start
// their child this way, so they never test a stale build.
import { register } from 'node:module';

register('./typescript-hooks.mjs', import.meta.url);
