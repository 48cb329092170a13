import { z } from 'zod';

/** A schema in the form of OpenAPI 3.1: its definitions lie in the components of the document. */
export interface OpenApiSchema {
  readonly schema: z.core.JSONSchema.JSONSchema;
  readonly components: Readonly<Record<string, z.core.JSONSchema.JSONSchema>>;
}

/** Converts a zod schema to JSON Schema 2020-12, the dialect of OpenAPI 3.1. Schemas with an id become components. */
export function schemaOf(schema: z.ZodType, io: 'input' | 'output'): OpenApiSchema {
  return withComponents(
    z.toJSONSchema(schema, { io, target: 'draft-2020-12', unrepresentable: 'any', override: withoutNoise }),
  );
}

/** Moves the definitions inside a JSON Schema to the components of a document. */
export function withComponents(schema: object): OpenApiSchema {
  const text = JSON.stringify(schema)
    // Only the schema of any JSON value refers to itself without a name of its own.
    .replaceAll(/__schema\d+/g, 'Json')
    .replaceAll('"#/$defs/', '"#/components/schemas/');
  const { $defs = {}, $schema: _, ...rest } = JSON.parse(text) as z.core.JSONSchema.JSONSchema;
  return { schema: rest, components: $defs };
}

/** Removes noise: the long pattern of an instant, and the safe-integer bounds that every integer has. */
function withoutNoise({ jsonSchema }: { readonly jsonSchema: z.core.JSONSchema.BaseSchema }): void {
  if (jsonSchema.format === 'date-time') delete jsonSchema.pattern;
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
}
