import { Problem, type Json } from '@mayfly/kernel';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { isOAuthAddress } from './problem-table.js';
import { parseJsonBody } from './json-body.js';

const JSON_TYPE = 'application/json';
const FORM_TYPE = 'application/x-www-form-urlencoded';

/**
 * Makes Fastify read bodies strictly: forms at the OAuth endpoints (RFC 6749 §3.2), JSON everywhere else, each field
 * named once. Another media type throws `unsupported_media_type`, which names the type sent and the type to send. An
 * empty body of any type is a form without fields in a POST to an OAuth endpoint, and `undefined` elsewhere. Call it
 * before routes are added; Nest needs `{ bodyParser: false }`.
 */
export function useStrictBodies(
  fastify: Pick<FastifyInstance, 'removeAllContentTypeParsers' | 'addContentTypeParser' | 'addHook'>,
): void {
  fastify.removeAllContentTypeParsers();
  const parse = async (request: FastifyRequest, body: string): Promise<Json | undefined> => {
    const wanted = isOAuthAddress(request.url) ? FORM_TYPE : JSON_TYPE;
    const given = request.headers['content-type'];
    if (body === '') return undefined;
    if (mediaTypeOf(given) !== wanted) throw unsupported(given, wanted);
    return wanted === JSON_TYPE ? parseJsonBody(body) : parseStrictForm(body);
  };
  fastify.addHook('preValidation', async (request) => {
    if (request.method === 'POST' && isOAuthAddress(request.url)) request.body ??= {};
  });
  for (const type of [JSON_TYPE, FORM_TYPE, '*']) fastify.addContentTypeParser(type, { parseAs: 'string' }, parse);
}

function mediaTypeOf(header: string | undefined): string | undefined {
  return header?.split(';', 1)[0]?.trim().toLowerCase();
}

function unsupported(given: string | undefined, wanted: string): Problem {
  const type = mediaTypeOf(given);
  if (type === undefined) {
    return new Problem('unsupported_media_type', `the body has no \`Content-Type\`; send \`${wanted}\``);
  }
  const named = /^[\w.+/-]{1,100}$/.test(type) ? `\`${type}\`` : 'this `Content-Type`';
  return new Problem('unsupported_media_type', `${named} is not supported here; send \`${wanted}\``);
}

/** Parses a form that names each field once (RFC 6749 §3.2). Throws `invalid_request`. */
function parseStrictForm(text: string): Readonly<Record<string, string>> {
  const fields = [...new URLSearchParams(text)];
  const form = new Map(fields);
  if (form.size !== fields.length) {
    throw new Problem('invalid_request', 'the form has one field twice; keep one');
  }
  return Object.fromEntries(form);
}
