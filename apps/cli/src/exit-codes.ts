/** Exit codes of the command line (docs/cli.md). Once its command runs, `mayfly exec` returns that command's code. */
export const EXIT = {
  ok: 0,
  /** a negative result: a failed connection test, or differences with `--exit-code` */
  no: 1,
  /** the command line, the settings or the files are wrong */
  usage: 2,
  /** the broker refused */
  refused: 3,
  /** the broker or one of its targets does not answer */
  unavailable: 4,
  /** nothing failed, and a change waits for a second person */
  waiting: 5,
  /** as in env(1) and POSIX shells */
  notExecutable: 126,
  notFound: 127,
  signalled: 128,
} as const;
