import type { Json, JsonObject, Labels } from '@mayfly/kernel';
import { compileParameters, type ParameterSchema } from './parameter-schema.js';
import { compileScope, type RenderedScope, type ScopeSkeleton } from './scope-skeleton.js';
import type { TaskTemplateSpec, TemplateCredential } from './task-template.schema.js';

/** One published version: immutable data. `digest` is `digestOf(spec)`; a running task keeps the version it pinned. */
export interface TemplateVersion {
  readonly name: string;
  readonly version: number;
  readonly spec: TaskTemplateSpec;
  readonly digest: string;
  readonly labels: Labels;
}

/** What is to be minted for one credential of the template. */
export interface RenderedCredential extends RenderedScope {
  readonly name: string;
  readonly provider: string;
  readonly connection?: string;
}

/** A template version ready for requests: its parameters and scopes are compiled once, here. */
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

  /** The request's parameters, known to fit this version. Throws `invalid_parameters`. */
  validate(parameters: Json): JsonObject {
    return this.parameters.validate(parameters);
  }

  /** The parameters that decide what stands at a place of a credential's rendered scope; none where no parameter does. */
  parametersAt(credential: string, path: readonly (string | number)[]): readonly string[] {
    return this.credentials.find(({ declared }) => declared.name === credential)?.skeleton.parametersAt(path) ?? [];
  }

  /** The scope of each credential, in the template's order, for validated parameters. Throws `invalid_parameters`. */
  renderScopes(parameters: JsonObject): RenderedCredential[] {
    return this.credentials.map(({ declared: { name, provider, connection }, skeleton }) => ({
      name,
      provider,
      ...(connection === undefined ? {} : { connection }),
      ...skeleton.render(parameters),
    }));
  }
}
