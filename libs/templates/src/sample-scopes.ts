import type { JsonObject } from '@mayfly/kernel';
import { exampleParameters } from './example-parameters.js';
import { below } from './json-pointer.js';
import { ParameterSchema, readParameters } from './parameter-schema.js';
import { readScope } from './scope-parser.js';
import { ScopeSkeleton } from './scope-skeleton.js';
import type { TaskTemplateSpec, TemplateCredential } from './task-template.schema.js';

/** One rendered scope of one credential, for questions to its target. */
export interface SampleScope {
  readonly credential: TemplateCredential;
  readonly scope: JsonObject;
  /** the JSON Pointer to the scope in the spec */
  readonly pointer: string;
}

/** Returns one sample for each credential whose scope can be rendered; empty when the spec does not compile. */
export function sampleScopes(spec: TaskTemplateSpec): readonly SampleScope[] {
  const parameters = readParameters(spec.parameters);
  if (!(parameters instanceof ParameterSchema)) return [];
  return spec.credentials.flatMap((credential, index) => {
    const { root, findings } = readScope(credential.scope, parameters);
    if (findings.length > 0) return [];
    const skeleton = new ScopeSkeleton(root);
    const { parameters: examples, unknown } = exampleParameters(skeleton.parameters, parameters);
    const [example] = unknown.length === 0 ? examples : [];
    if (example === undefined) return [];
    const pointer = below(below('/credentials', index), 'scope');
    return [{ credential, scope: skeleton.render(example).scope, pointer }];
  });
}
