import type { CreateTask } from '@mayfly/client';
import { Option, type Command } from 'commander';
import { z } from 'zod';
import { usageFailure } from './command-failure.js';

/** Options of commands that request a task. */
export interface TaskOptions {
  readonly template: string;
  readonly param: readonly string[];
  readonly paramsJson?: string;
  readonly purpose?: string;
  readonly ttl?: number;
  readonly credential: readonly string[];
}

const ParametersSchema = z.record(z.string(), z.json());
type Parameters = NonNullable<CreateTask['parameters']>;
const LONGEST_LIFE_SECONDS = 43_200;

/** Adds the options of a task request to a command. */
export function withTaskOptions(command: Command): Command {
  return withRequestOptions(command.requiredOption(...TEMPLATE));
}

const TEMPLATE = ['-t, --template <name>', 'name of the task template'] as const;

/** Adds the options of a command that requests a task, or takes up one that another agent handed on. */
export function withTaskOrDelegationOptions(command: Command): Command {
  const accept = new Option('--accept <task>', 'take up the task with this id, which another agent handed on');
  return withRequestOptions(
    command.option(...TEMPLATE).addOption(accept.conflicts(['template', 'param', 'paramsJson', 'purpose'])),
  );
}

function withRequestOptions(command: Command): Command {
  return command
    .option('-p, --param <name=value>', 'a parameter of type string; may be repeated', collect, [])
    .option('--params-json <object>', 'parameters of any type, as a JSON object')
    .option('--purpose <text>', 'purpose of the task, for the audit')
    .addOption(new Option('--ttl <seconds>', 'lifetime, within the bounds of the template').argParser(readSeconds))
    .option(
      '--credential <name>',
      'credential to use when the task has several of a kind; may be repeated',
      collect,
      [],
    );
}

/** Builds the task request from options; `purpose` is the default. Throws a usage failure. */
export function taskRequest(options: TaskOptions, purpose: string): CreateTask {
  return {
    template: options.template,
    parameters: parametersOf(options),
    purpose: options.purpose ?? purpose,
    ...(options.ttl === undefined ? {} : { ttlSeconds: options.ttl }),
  };
}

function parametersOf({ param, paramsJson }: TaskOptions): Parameters {
  const parameters = new Map<string, Parameters[string]>(
    paramsJson === undefined ? [] : Object.entries(readObject(paramsJson)),
  );
  for (const pair of param) {
    const [name, value] = splitPair(pair);
    if (parameters.has(name)) throw usageFailure(`parameter \`${name}\` is given twice`);
    parameters.set(name, value);
  }
  return Object.fromEntries(parameters);
}

function splitPair(pair: string): readonly [string, string] {
  const at = pair.indexOf('=');
  if (at > 0) return [pair.slice(0, at), pair.slice(at + 1)];
  throw usageFailure('a --param does not have the form name=value');
}

function readObject(text: string): Parameters {
  try {
    return ParametersSchema.parse(JSON.parse(text));
  } catch {
    throw usageFailure('--params-json is not a JSON object');
  }
}

function readSeconds(text: string): number {
  const seconds = Number(text);
  if (/^\d{1,5}$/.test(text) && seconds >= 1 && seconds <= LONGEST_LIFE_SECONDS) return seconds;
  throw usageFailure(`use 1 to ${String(LONGEST_LIFE_SECONDS)} whole seconds as --ttl`);
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}
