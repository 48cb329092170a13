import {
  answerOf,
  BrokerProblem,
  type Answer,
  type Broker,
  type DeclarationCheck,
  type DeclarationDocument,
  type Finding,
} from '@mayfly/client';
import type { Declaration, DeclarationKind } from '@mayfly/declarations';
import { refusalOf } from '../broker/broker-refusal.js';
import { waitingIn } from '../changes/waiting.js';
import type { CommandFailure } from '../command-failure.js';

const PATHS = {
  Issuer: '/issuers/{name}',
  Connection: '/connections/{name}',
  Agent: '/agents/{name}',
  Policy: '/policies/{name}',
  TaskTemplate: '/templates/{name}',
} as const;

/** The members of a document that the broker stores, in the form of a file. */
export interface Content {
  readonly labels: Readonly<Record<string, string>>;
  readonly spec: unknown;
}

/** A stored document, as the broker returns it for a kind and a name. */
export interface Found {
  readonly etag: string;
  /**
   * the content that a new document replaces: of a template its draft, or else its version in force; undefined for a
   * template that has neither
   */
  readonly content: Content | undefined;
  /** templates only: the unpublished draft, and the version in force */
  readonly draft?: Content & { readonly author: string };
  readonly inForce?: Content;
}

/** The broker's check of one document. */
export interface Checked {
  readonly refusal: CommandFailure | undefined;
  /** templates only: the problem that publishing would return */
  readonly publication: CommandFailure | undefined;
  readonly findings: readonly Finding[];
}

/** The answer to a document: its new entity tag, or the id of the change that waits for a second person. */
export type SentDocument = { readonly etag: string } | { readonly changeId: string };

type DocumentCheck = DeclarationCheck['documents'][number];

/** Long, because the broker also asks targets, one after the other. */
const CHECK_MS = 60_000;

/** Reads and writes declared documents over the API. */
export class DeclarationsClient {
  constructor(private readonly broker: Broker) {}

  /** Reads a stored document; undefined when none of this kind has this name. */
  async find(kind: DeclarationKind, name: string): Promise<Found | undefined> {
    if (kind === 'TaskTemplate') return this.findTemplate(name);
    const found = await orMissing(answerOf(this.broker.calls.GET(PATHS[kind], { params: { path: { name } } })));
    return found && { etag: found.etag ?? '', content: found.body };
  }

  /** Creates a document under a free name, or asks for it where two persons must agree. */
  create(declared: Declaration): Promise<SentDocument> {
    const { kind, metadata } = declared;
    const { calls } = this.broker;
    if (kind === 'TaskTemplate') return sentIn(answerOf(calls.POST('/templates', { body: sent(declared) })));
    const params = { path: { name: metadata.name }, header: { 'If-None-Match': '*' as const } };
    return sentIn(answerOf(calls.PUT(PATHS[kind], { params, body: sent(declared) })));
  }

  /** Replaces a document if `etag` still matches, or asks for it where two persons must agree. */
  replace(declared: Declaration, etag: string): Promise<SentDocument> {
    const params = { path: { name: declared.metadata.name }, header: { 'If-Match': etag } };
    return sentIn(answerOf(this.broker.calls.PUT(PATHS[declared.kind], { params, body: sent(declared) })));
  }

  /** Publishes the draft of a template if `etag` still matches. Returns the new entity tag. */
  publish(name: string, etag: string): Promise<string> {
    const params = { path: { name }, header: { 'If-Match': etag } };
    return etagOf(answerOf(this.broker.calls.POST('/templates/{name}/publish', { params })));
  }

  /** Checks a run of documents and changes nothing. Returns the results by `Kind/name`. */
  async check(documents: readonly Declaration[], publish: boolean): Promise<Map<string, Checked>> {
    const calls = this.broker.within(CHECK_MS);
    const { body } = await answerOf(
      calls.POST('/declarations/check', { body: { documents: [...documents], publish } }),
    );
    return new Map(body.documents.map((one) => [`${one.kind}/${one.name}`, checkedOf(one)]));
  }

  private async findTemplate(name: string): Promise<Found | undefined> {
    const { calls } = this.broker;
    const at = { params: { path: { name } } };
    const template = await orMissing(answerOf(calls.GET('/templates/{name}', at)));
    if (template === undefined) return undefined;
    const { draft, inForce } = template.body;
    const read = draft === null ? undefined : await orMissing(answerOf(calls.GET('/templates/{name}/draft', at)));
    return {
      etag: template.etag ?? '',
      content: read?.body ?? inForce ?? undefined,
      ...(read === undefined ? {} : { draft: read.body }),
      ...(inForce === null ? {} : { inForce }),
    };
  }
}

/** Casts a document to the contract's type. JSON leaves out its undefined members. */
function sent<Declared extends Declaration>(declared: Declared) {
  return declared as unknown as Extract<DeclarationDocument, { kind: Declared['kind'] }>;
}

/** Returns the entity tag of an answer. */
async function etagOf(answer: Promise<Answer<unknown>>): Promise<string> {
  return (await answer).etag ?? '';
}

async function sentIn(answer: Promise<Answer<object>>): Promise<SentDocument> {
  const { body, etag = '' } = await answer;
  const changeId = waitingIn(body);
  return changeId === undefined ? { etag } : { changeId };
}

function checkedOf({ refusal, publication, findings }: DocumentCheck): Checked {
  const problem = (answer: DocumentCheck['refusal']) =>
    answer === undefined ? undefined : refusalOf(BrokerProblem.of(answer.status, answer, undefined));
  return { refusal: problem(refusal), publication: problem(publication), findings };
}

async function orMissing<T>(asked: Promise<Answer<T>>): Promise<Answer<T> | undefined> {
  return asked.catch((error: unknown) => {
    if (error instanceof BrokerProblem && error.status === 404) return undefined;
    throw error;
  });
}
