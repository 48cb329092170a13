/** Inputs of the checks of the Dockerfile. */
export interface DockerfileInputs {
  readonly dockerfile: string;
  readonly dockerignore: string;
  /** the script `start` of package.json, and the file of its command line */
  readonly start: string;
  readonly commandLine: string;
  /** the newer Node version that runs the unit tests in CI */
  readonly node: string;
  readonly exists: (path: string) => boolean;
}

/** Returns the instructions of a Dockerfile by stage, without comments. */
function stagesOf(dockerfile: string): string[][] {
  const text = dockerfile.replace(/^\s*#.*\n/gm, '').replaceAll('\\\n', ' ');
  const stages: string[][] = [];
  for (const line of text.split('\n').map((each) => each.trim())) {
    if (line.startsWith('FROM ')) stages.push([]);
    if (line !== '') stages.at(-1)?.push(line);
  }
  return stages;
}

/** Returns which features the final image of the Dockerfile has. */
export function imageOf(dockerfile: string): { readonly healthcheck: boolean; readonly user: boolean } {
  const last = stagesOf(dockerfile).at(-1) ?? [];
  const user = last.findLast((line) => line.startsWith('USER '))?.slice('USER '.length) ?? '';
  return { healthcheck: last.some((line) => line.startsWith('HEALTHCHECK ')), user: /^[1-9]\d*(:\d+)?$/.test(user) };
}

/** Returns all faults of the Dockerfile in words; empty without faults. */
export function dockerfileFaults(inputs: DockerfileInputs): string[] {
  const { dockerfile, dockerignore, start, commandLine, node, exists } = inputs;
  const stages = stagesOf(dockerfile);
  const last = stages.at(-1) ?? [];
  const froms = stages.map(([from = '']) => from);
  const { healthcheck, user } = imageOf(dockerfile);
  const command = (/^CMD (\[.*\])$/m.exec(last.join('\n'))?.[1] ?? '[]').replace(/^\["|"\]$/g, '').split('", "');
  const bounds = /^ENV NODE_OPTIONS="(.*)"$/m.exec(last.join('\n'))?.[1] ?? '';
  const allowed = [...dockerignore.matchAll(/^!(.+)$/gm)].map(([, path = '']) => path);
  const wanted: readonly [boolean, string][] = [
    [stages.length > 1, 'the image holds what only the build needs: use two stages'],
    [froms.every((from) => from.includes(`node:${node}-`)), `the image has another Node than CI tests on (${node})`],
    [/^ENV .*\bNODE_ENV=production\b/m.test(last.join('\n')), 'the image does not say that it is production'],
    [user, 'the image runs as root, or as a user whom only its own files know'],
    [healthcheck, 'the image has no health check'],
    [start.endsWith(command.join(' ')), `the image starts \`${command.join(' ')}\`, and not what \`npm start\` does`],
    [bounds !== '' && start.includes(`"${bounds} $`), "the image has other bounds of V8's heap than `npm start`"],
    [last.some((line) => line.includes(`/app/${commandLine} `)), 'the image has no command line'],
    [dockerfile.includes('--omit=dev --omit=optional'), 'the image holds packages of development'],
    [
      dockerignore.startsWith('#') && dockerignore.includes('\n*\n'),
      'the context of the build holds whatever lies around',
    ],
  ];
  return [
    ...wanted.flatMap(([isRight, fault]) => (isRight ? [] : [fault])),
    ...allowed.flatMap((path) => (exists(path) ? [] : [`.dockerignore lets ${path} through, which does not exist`])),
    ...copiesFrom(stages, allowed, exists),
  ];
}

/** Returns the faults of COPY: a source that does not exist, or that .dockerignore excludes. */
function copiesFrom(
  stages: readonly string[][],
  allowed: readonly string[],
  exists: (path: string) => boolean,
): string[] {
  const copies = stages.flat().filter((line) => line.startsWith('COPY '));
  const sources = copies.flatMap((line) =>
    line
      .split(/\s+/)
      .slice(1, -1)
      .filter((word) => !word.startsWith('--')),
  );
  return sources
    .map((source) => source.replace(/^\/app\//, ''))
    .filter((source) => source !== '.' && !['node_modules', 'dist'].includes(source))
    .flatMap((source) => {
      if (!exists(source)) return [`the Dockerfile copies ${source}, which does not exist`];
      return allowed.includes(source.split('/')[0] ?? '') ? [] : [`.dockerignore keeps ${source} out, which is copied`];
    });
}
