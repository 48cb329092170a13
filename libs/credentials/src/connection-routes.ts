import { z } from 'zod';
import { uselessRoute } from './route-order.js';

/**
 * A kind of HTTP request at the target, and the operation that a task needs for it. A segment of `path` is literal or
 * `{name}`, which stands for any one segment. `query` has the names that the query may have; default: none.
 */
const RouteSchema = z.strictObject({
  /** a name that scopes or `operations` of templates allow */
  operation: z.string().regex(/^[\x21-\x7e]{1,128}$/, 'use 1 to 128 printable ASCII characters without blanks'),
  methods: z
    .array(z.enum(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']))
    .min(1)
    .max(7),
  path: z
    .string()
    .max(512)
    .regex(
      /^(?:\/|(?:\/(?!\.{1,2}(?:\/|$))(?:[A-Za-z0-9._~-]+|\{[a-z][A-Za-z0-9]{0,31}\}))+\/?)$/,
      'use a path of segments that are plain text or `{name}`, for instance `/cases/{case}`',
    ),
  query: z.array(z.string().min(1).max(64)).max(32).optional(),
});
export type DeclaredRoute = z.infer<typeof RouteSchema>;

/** The routes of a connection, in the order in which they match. */
export const RoutesSchema = z
  .array(RouteSchema)
  .max(256)
  .superRefine((routes, context) => {
    const useless = uselessRoute(routes);
    if (useless === undefined) return;
    context.addIssue({
      code: 'custom',
      path: [useless],
      message: 'an earlier route matches everything that this route matches; put this route first, or leave it out',
    });
  });
