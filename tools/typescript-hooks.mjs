// Module hooks (node:module `register`): resolve the aliases of tsconfig.json, map `./x.js` to `x.ts`, and compile.
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import ts from 'typescript';

const root = new URL('../', import.meta.url);
const { config } = ts.readConfigFile(fileURLToPath(new URL('tsconfig.json', root)), ts.sys.readFile);
const { options } = ts.convertCompilerOptionsFromJson(
  { ...config.compilerOptions, module: 'esnext', moduleResolution: 'bundler', inlineSourceMap: true, sourceMap: false },
  fileURLToPath(root),
);

/** The aliases; `*` stands for one name, in the alias and in its path. */
const ALIASES = Object.entries(config.compilerOptions.paths).map(([alias, [path]]) => ({
  pattern: new RegExp(`^${alias.replace('*', '([^/]+)')}$`),
  path: path.replace('*', '$1'),
}));

export function resolve(specifier, context, next) {
  const alias = ALIASES.find(({ pattern }) => pattern.test(specifier));
  if (alias !== undefined) return next(new URL(specifier.replace(alias.pattern, alias.path), root).href, context);
  if (specifier.startsWith('.') && specifier.endsWith('.js') && /\.(ts|mjs)$/.test(context.parentURL ?? '')) {
    const source = new URL(specifier.replace(/\.js$/, '.ts'), context.parentURL);
    if (existsSync(source)) return next(source.href, context);
  }
  return next(specifier, context);
}

export function load(url, context, next) {
  if (!url.startsWith('file:') || !url.endsWith('.ts')) return next(url, context);
  const fileName = fileURLToPath(url);
  const { outputText } = ts.transpileModule(readFileSync(fileName, 'utf8'), {
    fileName: pathToFileURL(fileName).href,
    compilerOptions: options,
  });
  return { format: 'module', source: outputText, shortCircuit: true };
}
