import { terminalReachesCommand } from './terminal-group.js';

/** What a terminal sends to the whole group in its foreground. */
const OF_TERMINAL: readonly NodeJS.Signals[] = ['SIGINT', 'SIGQUIT', 'SIGTSTP'];
const RELAYED: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2', 'SIGTSTP', 'SIGCONT'];

/** What signals are sent to. */
interface Running {
  kill(signal: NodeJS.Signals): boolean;
}

/**
 * Catches the signals that would end this process from its start to its end, so that it never goes before its task does:
 * the command gets them while it runs; before and after that they are noted for whoever waits.
 */
export class SignalRelay {
  /** the first signal that came when there was no command to pass it on to */
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

  /** Whom signals go to from now on; undefined: nobody. */
  passTo(command: Running | undefined): void {
    this.command = command;
    this.interruptedBy = undefined;
  }

  /** aborted once a signal came that there was no command for */
  get interrupted(): AbortSignal {
    return this.abort.signal;
  }

  /** Calls back when a second such signal comes: somebody does not want to wait. */
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
    // Where no shell controls jobs, the kernel lets SIGTSTP fall (POSIX, "orphaned process group"); SIGSTOP it does not.
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
