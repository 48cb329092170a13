/** The methods of each address, collected as routes are added. */
export class RouteMethods {
  private readonly routes: { readonly pattern: RegExp; readonly method: string }[] = [];

  /** Adds a route by its Fastify pattern: `:name` matches one segment, `*` the rest. */
  add(methods: string | readonly string[], url: string): void {
    const segments = url.split('/').map((segment) => {
      if (segment === '*') return '.*';
      return segment.startsWith(':') ? '[^/]+' : segment.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    });
    const pattern = new RegExp(`^${segments.join('/')}$`);
    for (const method of [methods].flat()) this.routes.push({ pattern, method });
  }

  /**
   * Returns the methods of the routes that match a request target, in alphabetical order; none when no route matches.
   */
  at(target: string): readonly string[] {
    const path = target.split('?', 1)[0] ?? '';
    const fitting = this.routes.filter(({ pattern }) => pattern.test(path));
    return [...new Set(fitting.map(({ method }) => method))].sort();
  }
}
