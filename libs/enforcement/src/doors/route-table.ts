import type { DeclaredRoute } from '@mayfly/credentials';
import type { RequestTarget } from './request-target.js';

/** The operation of a request, or the reason why the routes name none. */
export type Routed = { readonly operation: string } | { readonly fault: string };

type Part = { readonly literal: string } | { readonly hole: true };

interface CompiledRoute {
  readonly operation: string;
  readonly methods: ReadonlySet<string>;
  readonly parts: readonly Part[];
  readonly endsInSlash: boolean;
  readonly query: ReadonlySet<string>;
}

/** The declared routes of one connection: they turn a request into the operation that a task may be granted. */
export class RouteTable {
  private readonly routes: readonly CompiledRoute[];

  constructor(routes: readonly DeclaredRoute[]) {
    this.routes = routes.map(compile);
  }

  /**
   * Returns the operation of the first route whose method and path match. The query may have the names that this route
   * lists and no others, since a name that nobody judged can change what the operation does.
   */
  operationOf(target: RequestTarget): Routed {
    const route = this.routes.find((candidate) => matches(candidate, target));
    if (route === undefined)
      return { fault: 'no declared route has this method and path; use one of those that the API documents' };
    const unknown = target.queryNames.some((name) => !route.query.has(name));
    return unknown
      ? { fault: 'the query has a name that the route does not list; leave it out' }
      : { operation: route.operation };
  }
}

function compile({ operation, methods, path, query = [] }: DeclaredRoute): CompiledRoute {
  const texts = path.split('/').slice(1);
  const endsInSlash = texts.length > 1 && texts.at(-1) === '';
  const parts = texts
    .filter((text) => text !== '')
    .map((text): Part => (text.startsWith('{') ? { hole: true } : { literal: text }));
  return { operation, methods: new Set(methods), parts, endsInSlash, query: new Set(query) };
}

function matches({ methods, parts, endsInSlash }: CompiledRoute, target: RequestTarget): boolean {
  const { method, segments } = target;
  if (!methods.has(method) || endsInSlash !== target.endsInSlash || parts.length !== segments.length) return false;
  return parts.every((part, place) => 'hole' in part || part.literal === segments[place]);
}
