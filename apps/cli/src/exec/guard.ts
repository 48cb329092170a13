import { spawn, type ChildProcessByStdio } from 'node:child_process';
import type { Writable } from 'node:stream';

/**
 * The guard survives a SIGKILL of this process. It reads the command's process id, then waits for the word `done`. If
 * the pipe closes without it, the guard deletes the private files and sends the command SIGTERM and, 5 s later,
 * SIGKILL. POSIX sh, in its own session, so that no terminal ends it.
 */
const SCRIPT = `
trap '' INT TERM HUP QUIT TSTP
read -r command
read -r word
[ "$word" = done ] && exit 0
rm -rf -- "$1"
[ -n "$command" ] || exit 0
kill -TERM "$command" || exit 0
for second in 1 2 3 4 5; do sleep 1; kill -0 "$command" || exit 0; done
kill -KILL "$command"
`;

/** Ends a command and deletes its private files if this process is killed. */
export class Guard {
  private isWatching = false;

  private constructor(private readonly shell: ChildProcessByStdio<Writable, null, null>) {}

  static start(privateDirectory: string, path: string | undefined): Guard {
    const shell = spawn('/bin/sh', ['-c', SCRIPT, 'mayfly-guard', privateDirectory], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
      env: path === undefined ? {} : { PATH: path },
      cwd: '/',
    });
    shell.on('error', () => undefined); // a system without /bin/sh has no guard; docs/cli.md says so
    shell.stdin.on('error', () => undefined);
    shell.unref();
    return new Guard(shell);
  }

  watch(commandId: number): void {
    this.isWatching = true;
    this.shell.stdin.write(`${String(commandId)}\n`);
  }

  /** Stops the guard after the command has ended and its files are deleted. */
  dismiss(): void {
    this.shell.stdin.end(this.isWatching ? 'done\n' : '\ndone\n');
  }
}
