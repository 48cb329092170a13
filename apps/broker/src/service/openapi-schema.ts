import { z } from 'zod';

/** A schema as OpenAPI 3.1 wants it: what it refers to lies in the components of the document. */
export interface OpenApiSchema {
  readonly schema: z.core.JSONSchema.JSONSchema;
  readonly components: Readonly<Record<string, z.core.JSONSchema.JSONSchema>>;
}

/** JSON Schema 2020-12, which OpenAPI 3.1 is made of; schemas with an id become components. */
export function schemaOf(schema: z.ZodType, io: 'input' | 'output'): OpenApiSchema {
  return withComponents(
    z.toJSONSchema(schema, { io, target: 'draft-2020-12', unrepresentable: 'any', override: withoutNoise }),
  );
}

/** Moves the definitions inside a JSON Schema to the components of a document. */
export function withComponents(schema: object): OpenApiSchema {
  const text = JSON.stringify(schema)
    // The one schema that refers to itself and has no name of its own is that of any JSON value.
    .replaceAll(/__schema\d+/g, 'Json')
    .replaceAll('"#/$defs/', '"#/components/schemas/');
  const { $defs = {}, $schema: _, ...rest } = JSON.parse(text) as z.core.JSONSchema.JSONSchema;
  return { schema: rest, components: $defs };
}

/** Leaves out what tells a reader nothing: the pattern of an instant fills a page, and every integer is a safe one. */
function withoutNoise({ jsonSchema }: { readonly jsonSchema: z.core.JSONSchema.BaseSchema }): void {
  if (jsonSchema.format === 'date-time') delete jsonSchema.pattern;
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
}
