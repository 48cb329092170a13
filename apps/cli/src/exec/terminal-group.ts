import { closeSync, openSync, readFileSync } from 'node:fs';

/**
 * Whether a terminal sends its signals (Ctrl-C, Ctrl-\, Ctrl-Z) to this process and, with it, to the command that it runs
 * in the same process group: passing them on would make two of one, and some tools take the second for "at once".
 */
export function terminalReachesCommand(): boolean {
  try {
    return isForeground(readFileSync('/proc/self/stat', 'utf8'));
  } catch {
    return hasTerminal();
  }
}

/** proc(5): after the name, which may hold anything, come state, ppid, pgrp, session, tty_nr and tpgid. */
export function isForeground(stat: string): boolean {
  const [, , pgrp, , terminal, foreground] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return terminal !== undefined && terminal !== '0' && foreground === pgrp;
}

/** Where there is no proc(5), a controlling terminal is taken for one that has this process in the foreground. */
function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}
