import type { OpenAPIObject } from '@nestjs/swagger';
import { BODY_EXAMPLES, PATH_EXAMPLES } from './openapi-examples.js';
import { withComponents } from './openapi-schema.js';

const PROBLEM = '#/components/schemas/Problem';
const METHODS = ['get', 'put', 'post', 'delete', 'patch'] as const;

const MEANINGS: Readonly<Record<string, string>> = { 200: 'as asked', 201: 'created', 202: 'accepted', 204: 'done' };

const BODY_PROBLEMS = [
  ['413', 'the body is too long; `detail` names the limit'],
  ['415', 'the body is of another media type; send JSON'],
] as const;

interface Media {
  schema?: object;
  example?: unknown;
}
interface Response {
  description: string;
  content?: Record<string, Media>;
}
interface Parameter {
  readonly in?: string;
  readonly name?: string;
  example?: unknown;
}
type Operation = NonNullable<OpenAPIObject['paths'][string]['get']>;

/** Completes the generated document: media types of problems, descriptions of answers, examples. */
export function finish(document: OpenAPIObject): OpenAPIObject {
  for (const [path, item] of Object.entries(document.paths)) {
    for (const method of METHODS) {
      const operation = item[method];
      if (operation === undefined) continue;
      addBodyProblems(operation);
      Object.entries(operation.responses).forEach(([status, response]) => {
        finishResponse(status, response as Response);
      });
      mediaOf(operation).forEach((media) => {
        liftDefinitions(document, media);
        addExample(operation, media);
      });
      addPathExamples(path, (operation.parameters ?? []) as Parameter[]);
    }
  }
  return document;
}

/** Adds 413 and 415 to every operation with a body. The OAuth endpoints declare their own. */
function addBodyProblems({ requestBody, responses }: Operation): void {
  if (requestBody === undefined) return;
  for (const [status, description] of BODY_PROBLEMS) {
    responses[status] ??= { description, content: { 'application/json': { schema: { $ref: PROBLEM } } } };
  }
}

/**
 * Fills empty descriptions of the statuses in `MEANINGS`, and gives problems their own media type (RFC 9457 §3); the
 * generator uses JSON for all.
 */
function finishResponse(status: string, response: Response): void {
  if (response.description === '') response.description = MEANINGS[status] ?? '';
  const json = response.content?.['application/json'];
  if (json?.schema !== undefined && '$ref' in json.schema && json.schema.$ref === PROBLEM) {
    response.content = { 'application/problem+json': json };
  }
}

function mediaOf({ requestBody }: Operation): Media[] {
  return requestBody !== undefined && 'content' in requestBody ? Object.values(requestBody.content) : [];
}

/** Moves the definitions of an inline schema to the document's root, where its references must point. */
function liftDefinitions(document: OpenAPIObject, media: Media): void {
  if (media.schema === undefined) return;
  const { schema, components } = withComponents(media.schema);
  media.schema = schema;
  document.components = {
    ...document.components,
    schemas: { ...document.components?.schemas, ...(components as object) },
  };
}

function addExample({ operationId }: Operation, media: Media): void {
  const example = BODY_EXAMPLES[operationId ?? ''];
  if (example !== undefined) media.example = example;
}

function addPathExamples(path: string, parameters: readonly Parameter[]): void {
  const example = PATH_EXAMPLES[path.split('/')[1] ?? ''];
  for (const parameter of parameters) {
    if (parameter.in !== 'path') continue;
    parameter.example = parameter.name === 'version' ? 1 : example;
  }
}
