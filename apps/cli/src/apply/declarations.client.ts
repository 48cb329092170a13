import type { Declaration, DeclarationKind } from '@mayfly/declarations';
import { z } from 'zod';
import {
  DeclarationCheckSchema,
  DeclaredSchema,
  DraftSchema,
  TemplateSchema,
  type FindingAnswer,
} from '../broker/answers.js';
import { BrokerRefusal } from '../broker/broker-refusal.js';
import type { Answer, Transport } from '../broker/transport.js';

const PATHS: Readonly<Record<DeclarationKind, string>> = {
  Issuer: '/issuers',
  Connection: '/connections',
  Agent: '/agents',
  TaskTemplate: '/templates',
};

/** What of a document the broker keeps: as it would stand in a file. */
export interface Content {
  readonly labels: Readonly<Record<string, string>>;
  readonly spec: unknown;
}

/** What is there under a document's name. */
export interface Found {
  readonly etag: string;
  /** what a new document takes the place of: the draft of a template before what is in force */
  readonly content: Content | undefined;
  /** of templates: the draft that waits, and the version in force */
  readonly draft?: Content & { readonly author: string };
  readonly inForce?: Content;
}

/** What the broker says of a document before it is sent to stay. */
export interface Checked {
  readonly refusal: BrokerRefusal | undefined;
  /** of templates: why it would not be put in force */
  readonly publication: BrokerRefusal | undefined;
  readonly findings: readonly FindingAnswer[];
}

type DocumentCheck = z.infer<typeof DeclarationCheckSchema>['documents'][number];

/** Targets are asked as well, one after the other. */
const CHECK_MS = 60_000;

/** The declared documents behind the API. */
export class DeclarationsClient {
  constructor(private readonly transport: Transport) {}

  /** What is there, or undefined where nothing of that kind has this name. */
  async find(kind: DeclarationKind, name: string): Promise<Found | undefined> {
    const path = pathOf(kind, name);
    if (kind === 'TaskTemplate') return this.findTemplate(path);
    const found = await orMissing(this.transport.call('GET', path, DeclaredSchema));
    return found && { etag: found.etag ?? '', content: found.body };
  }

  /** Creates a document, which has to be new. */
  async create(declared: Declaration): Promise<string> {
    const { kind, metadata } = declared;
    const isTemplate = kind === 'TaskTemplate';
    const [method, path] = isTemplate ? ['POST', PATHS[kind]] : ['PUT', pathOf(kind, metadata.name)];
    const headers: Record<string, string> = isTemplate ? {} : { 'if-none-match': '*' };
    return this.send(method, path, headers, declared);
  }

  /** Replaces what is there, provided that it is what `etag` is of. */
  replace(declared: Declaration, etag: string): Promise<string> {
    return this.send('PUT', pathOf(declared.kind, declared.metadata.name), { 'if-match': etag }, declared);
  }

  /** Puts the draft of a template in force, provided that it is what `etag` is of. */
  publish(name: string, etag: string): Promise<string> {
    return this.send('POST', `${pathOf('TaskTemplate', name)}/publish`, { 'if-match': etag });
  }

  /** What a run of these documents would come to, each by `Kind/name`. Nothing is changed. */
  async check(documents: readonly Declaration[], publish: boolean): Promise<Map<string, Checked>> {
    const call = { body: { documents, publish }, timeoutMs: CHECK_MS };
    const { body } = await this.transport.call('POST', '/declarations/check', DeclarationCheckSchema, call);
    return new Map(body.documents.map((one) => [`${one.kind}/${one.name}`, checkedOf(one)]));
  }

  /** Resolves to the entity tag of what is there now. */
  private async send(method: string, path: string, headers: Record<string, string>, body?: unknown): Promise<string> {
    const call = { headers, ...(body === undefined ? {} : { body }) };
    return (await this.transport.call(method, path, z.unknown(), call)).etag ?? '';
  }

  private async findTemplate(path: string): Promise<Found | undefined> {
    const template = await orMissing(this.transport.call('GET', path, TemplateSchema));
    if (template === undefined) return undefined;
    const { draft, inForce } = template.body;
    const read = draft === null ? undefined : await orMissing(this.transport.call('GET', `${path}/draft`, DraftSchema));
    return {
      etag: template.etag ?? '',
      content: read?.body ?? inForce ?? undefined,
      ...(read === undefined ? {} : { draft: read.body }),
      ...(inForce === null ? {} : { inForce }),
    };
  }
}

function checkedOf({ refusal, publication, findings }: DocumentCheck): Checked {
  const problem = (answer: DocumentCheck['refusal']) =>
    answer === undefined ? undefined : BrokerRefusal.of(answer.status, answer, undefined);
  return { refusal: problem(refusal), publication: problem(publication), findings };
}

function pathOf(kind: DeclarationKind, name: string): string {
  return `${PATHS[kind]}/${encodeURIComponent(name)}`;
}

async function orMissing<T>(asked: Promise<Answer<T>>): Promise<Answer<T> | undefined> {
  return asked.catch((error: unknown) => {
    if (error instanceof BrokerRefusal && error.status === 404) return undefined;
    throw error;
  });
}
