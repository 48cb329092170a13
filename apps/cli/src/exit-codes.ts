/** How the command line leaves (docs/cli.md). `mayfly exec` leaves as its command does once that runs. */
export const EXIT = {
  ok: 0,
  /** the answer is no: a check of a connection that failed, differences with `--exit-code` */
  no: 1,
  /** the command line, the settings or the files are wrong */
  usage: 2,
  /** the broker refused */
  refused: 3,
  /** the broker or a target of its does not answer */
  unavailable: 4,
  /** as env(1) and POSIX shells have them */
  notExecutable: 126,
  notFound: 127,
  signalled: 128,
} as const;
