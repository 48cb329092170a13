import type { JsonObject } from '@mayfly/kernel';
import { fitsHole, longestValue, type HoleRule } from './hole.js';
import type { ParameterSchema } from './parameter-schema.js';
import type { Hole } from './scope-node.js';

const MAX_EXAMPLES = 64;
const GUESSES = ['example', 'a', 'A', 'a1', '1', '42', 'aaaa', 'abcdefgh', '00000000', 'a-1'];

export interface Examples {
  /** values for the holes, one object for each rendering */
  readonly parameters: readonly JsonObject[];
  /** free parameters for which no fitting value was found; the values given for them may break the author's pattern */
  readonly unknown: readonly string[];
}

/**
 * Returns values to try a scope with: all combinations of the listed values, up to 64; of more, a sample with each
 * listed value in it. A free parameter gets one value, from the author's `examples` or guessed.
 */
export function exampleParameters(holes: readonly Hole[], schema: ParameterSchema): Examples {
  const unknown: string[] = [];
  const choices = holes.map(({ parameter, rule }) => {
    const found = candidates(rule, schema.property(parameter) ?? {}).filter((value) => schema.takes(parameter, value));
    if (found.length === 0) unknown.push(parameter);
    const values = found.length === 0 ? [filler(rule)] : found;
    return { parameter, values: rule.kind === 'listed' ? values : values.slice(0, 1) };
  });
  const total = choices.reduce((product, { values }) => product * values.length, 1);
  const count = Math.min(total, Math.max(MAX_EXAMPLES, ...choices.map(({ values }) => values.length)));
  const parameters = Array.from({ length: count }, (_, index) =>
    total <= MAX_EXAMPLES ? nth(choices, index) : diagonal(choices, index),
  );
  return { parameters, unknown };
}

/**
 * Returns values for the longest rendering. Listed parameters get their longest value. Free ones get the longest run of
 * one character that the parameter's own schema accepts, or else the longest value that fits the hole.
 */
export function largestParameters(holes: readonly Hole[], schema: ParameterSchema): JsonObject {
  return Object.fromEntries(
    holes.map(({ parameter, rule }) => {
      const most = longestValue(rule);
      if (rule.kind === 'listed' || typeof most !== 'string') return [parameter, most];
      const runs = Array.from({ length: most.length }, (_, index) => most.length - index).flatMap((length) =>
        RUNS.map((character) => character.repeat(length)),
      );
      return [parameter, runs.find((run) => schema.takes(parameter, run)) ?? most];
    }),
  );
}

const RUNS = ['a', 'A', '0'];

interface Choice {
  readonly parameter: string;
  readonly values: readonly (string | number)[];
}

/** Returns the combination with this number; each choice is one digit. */
function nth(choices: readonly Choice[], index: number): JsonObject {
  let rest = index;
  return Object.fromEntries(
    choices.map(({ parameter, values }) => {
      const digit = rest % values.length;
      rest = Math.floor(rest / values.length);
      return [parameter, values[digit]];
    }),
  );
}

function diagonal(choices: readonly Choice[], index: number): JsonObject {
  return Object.fromEntries(choices.map(({ parameter, values }) => [parameter, values[index % values.length]]));
}

function candidates(rule: HoleRule, schema: JsonObject): (string | number)[] {
  if (rule.kind === 'listed') return [...rule.members];
  const authored = (Array.isArray(schema.examples) ? schema.examples : []) as readonly (string | number)[];
  const guesses = rule.type === 'integer' ? guessNumbers(schema) : guessTexts(schema);
  return [...authored, ...guesses].filter((value) => fitsHole(rule, value));
}

/**
 * Returns a value for a parameter whose own schema refused every candidate. It fits a free hole, and may not fit a
 * listed one.
 */
function filler(rule: HoleRule): string | number {
  return rule.kind === 'free' && rule.type === 'integer' ? 0 : 'example';
}

/** Returns the smallest allowed whole number and the next multiples of the step; some of them may be fractions. */
function guessNumbers(schema: JsonObject): number[] {
  const least = Math.max(0, Number(schema.minimum));
  const step = Number(schema.multipleOf ?? 1);
  const times = Math.ceil(least / step);
  return [least, ...Array.from({ length: 10 }, (_, more) => (times + more) * step)];
}

function guessTexts(schema: JsonObject): string[] {
  const least = Number(schema.minLength ?? 1);
  return [...GUESSES, 'a'.repeat(Math.min(Math.max(least, 1), 64))];
}
