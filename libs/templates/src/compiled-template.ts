import type { Json, JsonObject, Labels } from '@mayfly/kernel';
import { compileParameters, type ParameterSchema } from './parameter-schema.js';
import { compileScope, type RenderedScope, type ScopeSkeleton } from './scope-skeleton.js';
import type { TaskTemplateSpec, TemplateCredential } from './task-template.schema.js';

/** One published version, immutable. `digest` is `digestOf(spec)`; a running task keeps its version. */
export interface TemplateVersion {
  readonly name: string;
  readonly version: number;
  readonly spec: TaskTemplateSpec;
  readonly digest: string;
  readonly labels: Labels;
}

/** The order for one credential of the template, with its rendered scope. */
export interface RenderedCredential extends RenderedScope {
  readonly name: string;
  readonly provider: string;
  readonly connection?: string;
  /** true when Mayfly uses the credential after its end, to show that it is dead */
  readonly probe?: true;
}

/** A template version whose parameters and scopes are compiled once, ready for requests. */
export class CompiledTemplate {
  readonly parameters: ParameterSchema;
  private readonly credentials: readonly { readonly declared: TemplateCredential; readonly skeleton: ScopeSkeleton }[];

  /** Throws `invalid_template` when the version's parameters or scopes do not compile. */
  constructor(readonly version: TemplateVersion) {
    const parameters = compileParameters(version.spec.parameters);
    this.parameters = parameters;
    this.credentials = version.spec.credentials.map((declared) => ({
      declared,
      skeleton: compileScope(declared.scope, parameters),
    }));
  }

  /** Returns the parameters when they fit this version. Throws `invalid_parameters`. */
  validate(parameters: Json): JsonObject {
    return this.parameters.validate(parameters);
  }

  /** Returns the parameters that decide the value at a path of a credential's rendered scope; empty when none does. */
  parametersAt(credential: string, path: readonly (string | number)[]): readonly string[] {
    return this.credentials.find(({ declared }) => declared.name === credential)?.skeleton.parametersAt(path) ?? [];
  }

  /**
   * Renders the scope of each credential, in the template's order, for validated parameters. Throws
   * `invalid_parameters`.
   */
  renderScopes(parameters: JsonObject): RenderedCredential[] {
    return this.credentials.map(({ declared: { name, provider, connection, probe }, skeleton }) => ({
      name,
      provider,
      ...(connection === undefined ? {} : { connection }),
      ...(probe === true ? { probe } : {}),
      ...skeleton.render(parameters),
    }));
  }
}
