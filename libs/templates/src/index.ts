export { CompiledTemplate, type RenderedCredential, type TemplateVersion } from './compiled-template.js';
export { diffSpecs, type Difference } from './difference.js';
export { below } from './json-pointer.js';
export { parameterPointer } from './parameter-faults.js';
export type { LintFacts, ProviderFact } from './lint-facts.js';
export { lintTemplate } from './lint.js';
export { compileParameters, type ParameterSchema } from './parameter-schema.js';
export { finding, refuseErrors, type Finding, type RuleId, type Severity } from './rule.js';
export { sampleScopes, type SampleScope } from './sample-scopes.js';
export type { Hole, ScopeMember } from './scope-node.js';
export { compileScope, MAX_SCOPE_BYTES, type RenderedScope, type ScopeSkeleton } from './scope-skeleton.js';
export {
  TaskTemplateSpecSchema,
  type TaskTemplateSpec,
  type TemplateCredential,
  UseLimitSchema,
} from './task-template.schema.js';
export { findUnsafe, type TreeBounds } from './tree-bounds.js';
