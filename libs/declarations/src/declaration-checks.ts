import { setImmediate as others } from 'node:timers/promises';
import { canonicalJson, Problem, problemThrownBy, type FieldError, type Json } from '@mayfly/kernel';
import { finding, type Finding } from '@mayfly/templates';
import type { DeclarationContext } from './check-declarations.js';
import { checkRun, type CheckedDocument } from './check-run.js';
import type { DeclarationStore } from './declaration.store.js';
import type { Declaration, DeclarationKind, DeclarationOf } from './document.schema.js';
import { parseDocument } from './parse-declarations.js';
import type { DeclaredState, Declarer } from './records/declared-record.js';
import { refuseRoles } from './records/issuer-roles.js';
import { refuseForeign } from './records/ownership.js';
import type { TargetExamination } from './templates/target-examination.js';
import { fourEyesRefusal } from './templates/template-publication.js';
import type { TemplateRecord } from './templates/template-record.js';

/** The check asks no further target after this time, because its caller waits. */
const ASKING_MS = 10_000;

export interface DeclarationChecksParts {
  readonly store: Pick<DeclarationStore, 'records' | 'templates'>;
  readonly context: DeclarationContext;
  readonly examination: Pick<TargetExamination, 'about'>;
  /** true: issuers with roles may be declared over the API */
  readonly rolesOverApi: boolean;
  /** true: the editors of a draft may not publish it */
  readonly fourEyes: boolean;
  /** true: a platform person changes only documents of its own groups */
  readonly ownership?: boolean;
}

/** The documents to check; `publish`: the drafts of templates are published too. */
export interface DeclarationRun {
  readonly documents: readonly Json[];
  readonly publish: boolean;
}

/** The predicted result of sending one document. */
export interface PredictedDocument {
  readonly kind: DeclarationKind;
  readonly name: string;
  /** the problem with which the document would be refused */
  readonly refusal?: Problem | undefined;
  /** the problem with which publishing would be refused */
  readonly publication?: Problem | undefined;
  readonly findings: readonly Finding[];
}

/** The predicted result of a run: `ok` when nothing would be refused; the documents are in the order of applying. */
export interface PredictedRun {
  readonly ok: boolean;
  readonly documents: readonly PredictedDocument[];
}

/** State of one check. */
interface Run {
  readonly state: DeclaredState;
  readonly publish: boolean;
  readonly caller: Declarer;
  /** connections that the run adds or changes: the catalog does not have their new targets yet */
  readonly unsettled: ReadonlySet<string>;
  /** `performance.now()` */
  readonly askUntil: number;
}

/** Predicts the result of applying documents. Writes nothing and connects to no target of a new or changed document. */
export class DeclarationChecks {
  constructor(private readonly parts: DeclarationChecksParts) {}

  /** Throws `invalid_declaration` when a document cannot be read or two documents have one name. */
  async check({ documents, publish }: DeclarationRun, caller: Declarer): Promise<PredictedRun> {
    const declared = documents.map(readNumbered);
    refuseDoubles(declared);
    const state = await this.parts.store.records.state();
    const unsettled = unsettledIn(declared, state.declarations);
    const run = { state, publish, caller, unsettled, askUntil: performance.now() + ASKING_MS };
    const checked: PredictedDocument[] = [];
    for (const one of checkRun(state.declarations, declared, this.parts.context)) {
      checked.push(await this.predict(one, run));
      await others();
    }
    return {
      ok: checked.every(({ refusal, publication }) => refusal === undefined && publication === undefined),
      documents: checked,
    };
  }

  private async predict(checked: CheckedDocument, run: Run): Promise<PredictedDocument> {
    const { declared } = checked;
    const about = { kind: declared.kind, name: declared.metadata.name };
    if (declared.kind !== 'TaskTemplate') {
      const refusal = (await this.rolesRefusal(declared)) ?? this.ownerRefusal(declared, run) ?? checked.refusal;
      return { ...about, refusal, findings: [] };
    }
    const { name } = declared.metadata;
    if (run.state.retiredTemplates.has(name)) {
      const refusal = new Problem('conflict', `template \`${name}\` is retired permanently; use a new name`);
      return { ...about, refusal, findings: [] };
    }
    const foreign = this.ownerRefusal(declared, run);
    if (foreign !== undefined) return { ...about, refusal: foreign, findings: [] };
    const publication = run.publish ? ((await this.fourEyes(declared, run)) ?? checked.publication) : undefined;
    const findings = [...checked.findings, ...(await this.examined(declared, checked, run))];
    return { ...about, publication, findings };
  }

  private ownerRefusal(declared: Declaration, { state, caller }: Run): Problem | undefined {
    if (this.parts.ownership !== true) return undefined;
    const { kind, metadata } = declared;
    const stored = state.declarations.find((one) => one.kind === kind && one.metadata.name === metadata.name);
    return problemThrownBy(() => {
      refuseForeign(
        caller,
        [stored, declared].map((one) => one && { kind, name: metadata.name, spec: one.spec }),
      );
    });
  }

  private async rolesRefusal(declared: Exclude<Declaration, { kind: 'TaskTemplate' }>): Promise<Problem | undefined> {
    if (this.parts.rolesOverApi || declared.kind !== 'Issuer') return undefined;
    const before = await this.parts.store.records.find('Issuer', declared.metadata.name);
    return problemThrownBy(() => {
      refuseRoles(before, declared);
    });
  }

  /** Returns the refusal when the caller edited the draft. An unchanged draft keeps its recorded editors. */
  private async fourEyes(declared: DeclarationOf<'TaskTemplate'>, { caller }: Run): Promise<Problem | undefined> {
    if (!this.parts.fourEyes) return undefined;
    const template = await this.parts.store.templates.find(declared.metadata.name);
    const editors = draftStays(template, declared) ? (template?.draft?.editors ?? []) : [caller.name];
    return editors.includes(caller.name) ? fourEyesRefusal() : undefined;
  }

  private async examined(
    { spec }: DeclarationOf<'TaskTemplate'>,
    { publication }: CheckedDocument,
    { unsettled, askUntil }: Run,
  ): Promise<readonly Finding[]> {
    if (publication !== undefined) return [];
    if (performance.now() < askUntil) return this.parts.examination.about(spec, unsettled);
    return [
      finding('MF310', '/credentials', 'its target was not asked: other targets took too long; run the check again'),
    ];
  }
}

function readNumbered(value: Json, index: number): Declaration {
  try {
    return parseDocument(value);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    const errors = (error.extensions.errors ?? []).map((one) => at(index, one));
    throw new Problem(error.code, error.detail, { errors });
  }
}

function refuseDoubles(documents: readonly Declaration[]): void {
  const seen = new Set<string>();
  documents.forEach(({ kind, metadata: { name } }, index) => {
    const key = `${kind}/${name}`;
    const detail = `${key} appears twice in the documents; keep one`;
    if (seen.has(key))
      throw new Problem('invalid_declaration', detail, { errors: [at(index, { pointer: '/metadata/name', detail })] });
    seen.add(key);
  });
}

function at(index: number, { pointer, detail }: FieldError): FieldError {
  return { pointer: `/documents/${String(index)}${pointer}`, detail };
}

function unsettledIn(documents: readonly Declaration[], stored: readonly Declaration[]): ReadonlySet<string> {
  const known = new Map(stored.map((declared) => [`${declared.kind}/${declared.metadata.name}`, declared]));
  const names = documents.flatMap((declared) => {
    const before = known.get(`Connection/${declared.metadata.name}`);
    return declared.kind === 'Connection' && !isSameSpec(before, declared) ? [declared.metadata.name] : [];
  });
  return new Set(names);
}

function isSameSpec(before: Declaration | undefined, after: Declaration): boolean {
  return before !== undefined && canonicalJson(before.spec as Json) === canonicalJson(after.spec as Json);
}

function draftStays(template: TemplateRecord | undefined, { metadata, spec }: DeclarationOf<'TaskTemplate'>): boolean {
  const { draft } = template ?? {};
  if (draft === undefined) return false;
  const content = (labels: unknown, of: unknown): string => canonicalJson({ labels, spec: of } as Json);
  return content(draft.labels, draft.spec) === content(metadata.labels ?? {}, spec);
}
