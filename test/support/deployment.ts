import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { composeFaults, type ComposeInputs } from './compose-faults.js';
import { dockerfileFaults, imageOf, type DockerfileInputs } from './dockerfile-faults.js';

const BACK_ENDS = 'deploy/compose/back-ends';

/** Reads the deployment files of the current directory. */
export function readDeployment(): ComposeInputs & DockerfileInputs {
  const read = (path: string) => readFileSync(path, 'utf8');
  const dockerfile = read('Dockerfile');
  const { scripts, bin } = JSON.parse(read('package.json')) as { scripts: { start: string }; bin: { mayfly: string } };
  return {
    compose: read('docker-compose.yml'),
    documentation: read('docs/deploy.md'),
    backEnds: readdirSync(BACK_ENDS)
      .map((file) => read(join(BACK_ENDS, file)))
      .join('\n---\n'),
    image: imageOf(dockerfile),
    dockerfile,
    dockerignore: read('.dockerignore'),
    start: scripts.start,
    commandLine: bin.mayfly,
    node: /^NODE_NEXT=(.+)$/m.exec(read('.ci/run'))?.[1] ?? '',
    exists: existsSync,
  };
}

export function deploymentFaults(inputs = readDeployment()): string[] {
  return [...composeFaults(inputs), ...dockerfileFaults(inputs)];
}
