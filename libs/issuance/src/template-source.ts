import type { CompiledTemplate } from '@mayfly/templates';

/** Port: published templates. */
export interface TemplateSource {
  /** Returns the version in force, or undefined. */
  current(name: string): CompiledTemplate | undefined;
}
