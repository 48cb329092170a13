import { terminalReachesCommand } from './terminal-group.js';

/** Signals that a terminal sends to its whole foreground process group. */
const OF_TERMINAL: readonly NodeJS.Signals[] = ['SIGINT', 'SIGQUIT', 'SIGTSTP'];
const RELAYED: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2', 'SIGTSTP', 'SIGCONT'];

/** A process that can receive signals. */
interface Running {
  kill(signal: NodeJS.Signals): boolean;
}

/**
 * Catches the signals that would end this process, so that it never ends before its task. Passes them to the command
 * while it runs; otherwise records the first and aborts `interrupted`.
 */
export class SignalRelay {
  /** the first signal that came while no command ran */
  interruptedBy: NodeJS.Signals | undefined;
  private command: Running | undefined;
  private readonly abort = new AbortController();
  private waiters: (() => void)[] = [];
  private readonly listeners = RELAYED.map((name) => [name, () => this.take(name)] as const);

  constructor(private readonly isSentToCommandToo = terminalReachesCommand) {}

  start(): void {
    for (const [name, listener] of this.listeners) process.on(name, listener);
  }

  stop(): void {
    for (const [name, listener] of this.listeners) process.off(name, listener);
  }

  /** Sets the receiver of further signals; undefined: none. */
  passTo(command: Running | undefined): void {
    this.command = command;
    this.interruptedBy = undefined;
  }

  /** aborted by the first signal that comes while no command runs */
  get interrupted(): AbortSignal {
    return this.abort.signal;
  }

  /** Calls `act` on a second such signal: the user does not want to wait. */
  onInsistence(act: () => void): void {
    this.waiters.push(act);
  }

  private take(name: NodeJS.Signals): void {
    if (this.command !== undefined) this.relay(this.command, name);
    else this.note(name);
    if (name === 'SIGTSTP') process.kill(process.pid, 'SIGSTOP');
  }

  private relay(command: Running, name: NodeJS.Signals): void {
    if (OF_TERMINAL.includes(name) && this.isSentToCommandToo()) return;
    // Without job control the kernel ignores SIGTSTP (POSIX, "orphaned process group"), but never SIGSTOP.
    command.kill(name === 'SIGTSTP' ? 'SIGSTOP' : name);
  }

  private note(name: NodeJS.Signals): void {
    if (name === 'SIGTSTP' || name === 'SIGCONT' || name === 'SIGUSR2') return;
    if (this.interruptedBy === undefined) {
      this.interruptedBy = name;
      this.abort.abort();
      return;
    }
    for (const act of this.waiters) act();
  }
}
