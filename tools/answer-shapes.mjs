// Extracts the part of an OpenAPI document that the client checks answers with: members, required members, and types.
// Enum values are left out, and extra members are allowed, because a later broker may add some.

/** Returns the source text of packages/client/src/answer-shapes.ts. */
export function answerShapes({ paths, components }) {
  const reached = new Map();
  const shapeOf = (schema) => {
    const name = schema.$ref?.replace('#/components/schemas/', '');
    if (name !== undefined) {
      if (!reached.has(name)) {
        reached.set(name, {});
        reached.set(name, shapeOf(components.schemas[name]));
      }
      return { ref: name };
    }
    const { type, required, properties, items, additionalProperties, anyOf, format } = schema;
    return {
      ...(type === undefined ? {} : { types: [type].flat() }),
      ...(required === undefined ? {} : { required }),
      ...(properties === undefined ? {} : { members: mapped(properties, shapeOf) }),
      ...(items === undefined ? {} : { items: shapeOf(items) }),
      ...(typeof additionalProperties === 'object' ? { values: shapeOf(additionalProperties) } : {}),
      ...(anyOf === undefined ? {} : { anyOf: anyOf.map(shapeOf) }),
      ...(format === 'date-time' ? { isInstant: true } : {}),
    };
  };
  const answers = {};
  for (const [path, item] of Object.entries(paths)) {
    for (const [method, { responses }] of Object.entries(item)) {
      for (const [status, { content }] of Object.entries(responses)) {
        if (!status.startsWith('2')) continue;
        answers[`${method.toUpperCase()} ${path} ${status}`] = shapeOf(content?.['application/json']?.schema ?? {});
      }
    }
  }
  return `import type { Shape } from './shape.js';

/** The shapes of the document's components. */
export const COMPONENTS: Readonly<Record<string, Shape>> = ${JSON.stringify(Object.fromEntries(reached))};

/** The shape of each successful answer, by method, path and status; none where the answer is not JSON. */
export const ANSWERS: Readonly<Record<string, Shape>> = ${JSON.stringify(answers)};
`;
}

function mapped(object, make) {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, make(value)]));
}
