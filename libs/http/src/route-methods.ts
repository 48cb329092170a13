/** Which methods each address takes, as the routes were added. */
export class RouteMethods {
  private readonly routes: { readonly pattern: RegExp; readonly method: string }[] = [];

  /** Adds a route by its Fastify pattern: `:name` is one segment, `*` the rest. */
  add(methods: string | readonly string[], url: string): void {
    const segments = url.split('/').map((segment) => {
      if (segment === '*') return '.*';
      return segment.startsWith(':') ? '[^/]+' : segment.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    });
    const pattern = new RegExp(`^${segments.join('/')}$`);
    for (const method of [methods].flat()) this.routes.push({ pattern, method });
  }

  /** The methods of the routes that fit a request target, in alphabetical order; none where there is nothing. */
  at(target: string): readonly string[] {
    const path = target.split('?', 1)[0] ?? '';
    const fitting = this.routes.filter(({ pattern }) => pattern.test(path));
    return [...new Set(fitting.map(({ method }) => method))].sort();
  }
}
