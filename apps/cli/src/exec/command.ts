import { systemCodeOf } from '@mayfly/client';
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { EXIT } from '../exit-codes.js';

/** The end of a command: its exit code, and a reason if it is not 0. */
export interface CommandEnd {
  readonly exitCode: number;
  readonly reason?: string;
}

/** A started command; `pid` is undefined when it could not be started. */
export interface RunningCommand {
  readonly pid: number | undefined;
  readonly ended: Promise<CommandEnd>;
  /** Sends `signal` to the command; false if the command had ended. */
  kill(signal: NodeJS.Signals): boolean;
}

/** Starts a command that inherits the standard streams of this process. */
export function startCommand(
  [file = '', ...args]: readonly string[],
  env: Readonly<Record<string, string>>,
): RunningCommand {
  const child = spawn(file, args, { env, stdio: 'inherit' });
  const ended = new Promise<CommandEnd>((resolve) => {
    child.once('error', (error) => {
      if (child.pid === undefined) resolve(neverStarted(file, error));
    });
    child.once('exit', (code, signal) => {
      resolve(endOf(code, signal));
    });
  });
  return { pid: child.pid, ended, kill: (signal) => child.kill(signal) };
}

/** Returns the exit code as shells do: the command's own, or 128 plus the signal number. */
function endOf(code: number | null, signal: NodeJS.Signals | null): CommandEnd {
  if (signal !== null) return { exitCode: EXIT.signalled + constants.signals[signal], reason: `ended by ${signal}` };
  return code === 0 ? { exitCode: EXIT.ok } : { exitCode: code ?? EXIT.no, reason: `exit code ${String(code)}` };
}

function neverStarted(file: string, error: Error): CommandEnd {
  const code = systemCodeOf(error) ?? '';
  const isMissing = code === 'ENOENT';
  return {
    exitCode: isMissing ? EXIT.notFound : EXIT.notExecutable,
    reason: `cannot run \`${file.slice(0, 100)}\`${isMissing ? ': no such command' : ` (${code})`}`,
  };
}
