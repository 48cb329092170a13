/**
 * The one source of instants. In the service it follows the database's clock (PostgreSQL is the truth and the clock),
 * so that two replicas agree; in tests it is set by hand.
 */
export interface Clock {
  now(): Date;
}

/** `at` moved by a number of seconds. */
export function addSeconds(at: Date, seconds: number): Date {
  return new Date(at.getTime() + seconds * 1000);
}

/** The earliest of the instants given; `undefined` ones are passed over. */
export function earliest(first: Date, ...others: readonly (Date | undefined)[]): Date {
  return others.reduce<Date>((least, at) => (at !== undefined && at < least ? at : least), first);
}
