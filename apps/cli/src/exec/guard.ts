import { spawn, type ChildProcessByStdio } from 'node:child_process';
import type { Writable } from 'node:stream';

/**
 * What outlives a SIGKILL of this process: it reads the id of the command and then waits for a word. When the pipe closes
 * without it, the command gets SIGTERM and, 5 s later, SIGKILL; the private files go at once. POSIX sh, in a session of
 * its own, so that no terminal ends it.
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

/** Watches over a command and its private files for the case that this process is killed. */
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

  /** The command has ended and its files are gone: nothing is left to guard. */
  dismiss(): void {
    this.shell.stdin.end(this.isWatching ? 'done\n' : '\ndone\n');
  }
}
