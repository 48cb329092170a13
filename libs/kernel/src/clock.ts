/**
 * The only source of instants. The service follows the database's clock, so that two replicas agree. Tests set the
 * clock by hand.
 */
export interface Clock {
  /** Returns the present instant, to the millisecond. */
  now(): Date;
}

/** Returns `at` plus a number of seconds. */
export function addSeconds(at: Date, seconds: number): Date {
  return new Date(at.getTime() + seconds * 1000);
}

/** Returns the earliest of the instants; ignores `undefined` ones. */
export function earliest(first: Date, ...others: readonly (Date | undefined)[]): Date {
  return others.reduce<Date>((least, at) => (at !== undefined && at < least ? at : least), first);
}
