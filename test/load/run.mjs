// `node --import ./test/load/run.mjs x.mjs`: scripts that measure use what the tests set up, as it is. The suites that come
// along with it describe themselves to nobody.
import { register } from 'node:module';
import '../../tools/run-typescript.mjs';

const silent = 'export const describe = () => {}, it = describe, expect = describe, jest = {};';
const hooks = `
export function resolve(specifier, context, next) {
  if (specifier !== '@jest/globals') return next(specifier, context);
  const names = ['afterAll', 'afterEach', 'beforeAll', 'beforeEach'].map((name) => 'export const ' + name + ' = () => {};');
  return { url: 'data:text/javascript,' + encodeURIComponent(${JSON.stringify(silent)} + names.join('')), shortCircuit: true };
}`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`, import.meta.url);
