import type { CompiledTemplate } from '@mayfly/templates';

/** Published templates. */
export interface TemplateSource {
  /** The version in force, or undefined when there is none. */
  current(name: string): CompiledTemplate | undefined;
}
