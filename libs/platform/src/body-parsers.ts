import { Problem, type Json } from '@mayfly/kernel';
import type { FastifyInstance } from 'fastify';
import { parseStrictJson } from './strict-json.js';

/**
 * Makes Fastify read bodies strictly: JSON and forms in which every field is named once, and no other media type.
 * An empty JSON body is `undefined`. Call it before routes are added; Nest needs `{ bodyParser: false }`.
 */
export function useStrictBodies(
  fastify: Pick<FastifyInstance, 'removeAllContentTypeParsers' | 'addContentTypeParser'>,
): void {
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser('application/json', { parseAs: 'string' }, async (_request: unknown, body: string) =>
    parseBody(body),
  );
  fastify.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string' },
    async (_request: unknown, body: string) => parseStrictForm(body),
  );
}

/** A form in which each field is named once, as RFC 6749 §3.2 demands. Throws `invalid_request`. */
function parseStrictForm(text: string): Readonly<Record<string, string>> {
  const fields = [...new URLSearchParams(text)];
  const form = new Map(fields);
  if (form.size !== fields.length) {
    throw new Problem('invalid_request', 'the form names one field twice; name each field once');
  }
  return Object.fromEntries(form);
}

function parseBody(text: string): Json | undefined {
  return text === '' ? undefined : parseStrictJson(text);
}
