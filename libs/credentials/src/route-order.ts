/** The parts of a route by which it matches. */
interface Route {
  readonly methods: readonly string[];
  readonly path: string;
}

/** Returns the place of the first route that can never match, because one earlier route matches whatever it matches. */
export function uselessRoute(routes: readonly Route[]): number | undefined {
  const found = routes.findIndex((route, place) => routes.slice(0, place).some((earlier) => covers(earlier, route)));
  return found === -1 ? undefined : found;
}

function covers(earlier: Route, later: Route): boolean {
  const [mine, theirs] = [earlier.path.split('/'), later.path.split('/')];
  if (mine.length !== theirs.length || !later.methods.every((method) => earlier.methods.includes(method))) return false;
  // The empty texts are the slashes at both ends, which a hole does not match.
  return mine.every((part, place) => part === theirs[place] || (part.startsWith('{') && theirs[place] !== ''));
}
