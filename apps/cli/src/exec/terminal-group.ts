import { closeSync, openSync, readFileSync } from 'node:fs';

/**
 * True when a terminal sends its signals (Ctrl-C, Ctrl-\, Ctrl-Z) to this process and to the command in the same
 * process group. Passing them on would double each signal, and some tools take a second one for "at once".
 */
export function terminalReachesCommand(): boolean {
  try {
    return isForeground(readFileSync('/proc/self/stat', 'utf8'));
  } catch {
    return hasTerminal();
  }
}

/** Parses proc(5): after the name, which may hold any character: state, ppid, pgrp, session, tty_nr, tpgid. */
export function isForeground(stat: string): boolean {
  const [, , pgrp, , terminal, foreground] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return terminal !== undefined && terminal !== '0' && foreground === pgrp;
}

/** Without proc(5), assumes that a controlling terminal has this process in the foreground. */
function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}
