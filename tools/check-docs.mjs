#!/usr/bin/env node
// Refuses a Markdown page that names something that is not there: a link or an anchor, a file or folder of the repository, an
// npm script, a variable of Mayfly, or a command or an option of the CLI. Also refuses a variable of the broker that
// docs/configuration.md does not have.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

const FOLDERS = 'apps|libs|packages|test|prisma|docs|tools|config|deploy|findings|\\.ci';
/** A path with a place holder or a pattern names no single file. */
const PATTERN = /[*<>{}…$]|\.\.\./;

const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { encoding: 'utf8' })
  .split('\n')
  .filter((file) => file !== '' && existsSync(file));
const read = (file) => readFileSync(file, 'utf8');
const sourcesOf = (folder) => files.filter((file) => file.startsWith(folder) && /\.(ts|mjs|yml|sh)$/.test(file));
const wordsIn = (sources, pattern) =>
  new Set(sources.flatMap((file) => [...read(file).matchAll(pattern)].map(([, word]) => word)));

const scripts = Object.keys(JSON.parse(read('package.json')).scripts);
/** The CLI names the variables of a command after its credentials; in the examples one is named `db`. */
const OF_A_CREDENTIAL = /^MAYFLY_DB_/;
const variables = wordsIn(
  ['apps', 'libs', 'packages', 'docker-compose.yml', 'deploy'].flatMap(sourcesOf),
  /\b(MAYFLY_[A-Z_]+)\b/g,
);
const cli = sourcesOf('apps/cli/src').filter((file) => !file.endsWith('.spec.ts'));
const commands = wordsIn(cli, /\.command\('([a-z-]+)/g);
const options = wordsIn(cli, /(--[a-z][a-z-]*)/g);

const faults = files.filter((file) => file.endsWith('.md')).flatMap(pageFaults);
const documented = read('docs/configuration.md');
for (const variable of wordsIn(['apps/broker/src/config.ts'], /^\s+(MAYFLY_[A-Z_]+):/gm))
  if (!documented.includes(`\`${variable}\``))
    faults.push(`docs/configuration.md: describe \`${variable}\`, which the broker reads`);
if (faults.length > 0) {
  console.error(`${faults.join('\n')}\n${faults.length} places of the documents name something that is not there`);
  process.exit(1);
}

function pageFaults(page) {
  const text = read(page);
  const missing = (pattern, isThere, what) =>
    [...text.matchAll(pattern)]
      .filter(([, name]) => !isThere(name))
      .map(([, name]) => `${page}: there is no ${what} \`${name}\``);
  return [
    ...linkFaults(page, text),
    ...missing(new RegExp(`\`((?:${FOLDERS})/[^\`\\s]*)\``, 'g'), (path) => PATTERN.test(path) || isFile(path), 'file'),
    ...missing(/\bnpm run (?:-s )?([a-z][a-z:-]*)/g, (name) => scripts.includes(name), 'npm script'),
    ...missing(
      new RegExp(`\\bnode (?:--[^\\s]+ (?:\\./[^\\s]+ )?)*((?:${FOLDERS})/[^\\s\`]+\\.mjs)`, 'g'),
      existsSync,
      'script',
    ),
    ...missing(/\b(MAYFLY_[A-Z_]+[A-Z])\b/g, (name) => variables.has(name) || OF_A_CREDENTIAL.test(name), 'variable'),
    ...commandFaults(page, text),
  ];
}

/** `path`, perhaps with a line after a colon or an anchor. */
function isFile(path) {
  return existsSync(path.replace(/[:#].*$/, ''));
}

function linkFaults(page, text) {
  const links = [...text.replace(/```[^]*?```/g, '').matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target);
  return links
    .filter((target) => !/^[a-z]+:/.test(target))
    .flatMap((target) => {
      const [path, anchor] = target.split('#');
      const file = path === '' ? page : normalize(join(dirname(page), path));
      if (!existsSync(file)) return [`${page}: the link to \`${target}\` leads nowhere`];
      if (anchor === undefined || anchorsOf(file).has(anchor)) return [];
      return [`${page}: \`${file}\` has no heading \`#${anchor}\``];
    });
}

function anchorsOf(file) {
  return new Set([...read(file).matchAll(/^#+ (.*)$/gm)].map(([, heading]) => slugOf(heading)));
}

/** The anchor that GitHub gives a heading. */
function slugOf(heading) {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(' ', '-');
}

/** Checks commands at the start of a line of a code block, and in inline code. */
function commandFaults(page, text) {
  const called = [...text.matchAll(/(?:^|`|\$ )mayfly ([a-z][^\n`]*)/gm)].map(
    ([, rest]) => rest.split(/ -- |[|;&]/)[0],
  );
  return called.flatMap((rest) => {
    const [command] = rest.split(/\s/);
    if (!commands.has(command)) return [`${page}: \`mayfly ${rest}\`: there is no command \`${command}\``];
    const unknown = (rest.match(/(?<=\s)--[a-z][a-z-]*/g) ?? []).filter((option) => !options.has(option));
    return unknown.map((option) => `${page}: \`mayfly ${command}\` has no option \`${option}\``);
  });
}
