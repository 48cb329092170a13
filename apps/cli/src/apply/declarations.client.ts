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
import { BrokerRefusal } from '../broker/broker-refusal.js';

const PATHS = {
  Issuer: '/issuers/{name}',
  Connection: '/connections/{name}',
  Agent: '/agents/{name}',
  TaskTemplate: '/templates/{name}',
} as const;

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
  readonly findings: readonly Finding[];
}

type DocumentCheck = DeclarationCheck['documents'][number];

/** Targets are asked as well, one after the other. */
const CHECK_MS = 60_000;

/** The declared documents behind the API. */
export class DeclarationsClient {
  constructor(private readonly broker: Broker) {}

  /** What is there, or undefined where nothing of that kind has this name. */
  async find(kind: DeclarationKind, name: string): Promise<Found | undefined> {
    if (kind === 'TaskTemplate') return this.findTemplate(name);
    const found = await orMissing(answerOf(this.broker.calls.GET(PATHS[kind], { params: { path: { name } } })));
    return found && { etag: found.etag ?? '', content: found.body };
  }

  /** Creates a document, which has to be new. */
  create(declared: Declaration): Promise<string> {
    const { kind, metadata } = declared;
    const { calls } = this.broker;
    if (kind === 'TaskTemplate') return etagOf(answerOf(calls.POST('/templates', { body: sent(declared) })));
    const params = { path: { name: metadata.name }, header: { 'If-None-Match': '*' as const } };
    return etagOf(answerOf(calls.PUT(PATHS[kind], { params, body: sent(declared) })));
  }

  /** Replaces what is there, provided that it is what `etag` is of. */
  replace(declared: Declaration, etag: string): Promise<string> {
    const params = { path: { name: declared.metadata.name }, header: { 'If-Match': etag } };
    return etagOf(answerOf(this.broker.calls.PUT(PATHS[declared.kind], { params, body: sent(declared) })));
  }

  /** Puts the draft of a template in force, provided that it is what `etag` is of. */
  publish(name: string, etag: string): Promise<string> {
    const params = { path: { name }, header: { 'If-Match': etag } };
    return etagOf(answerOf(this.broker.calls.POST('/templates/{name}/publish', { params })));
  }

  /** What a run of these documents would come to, each by `Kind/name`. Nothing is changed. */
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

/** A document as the contract has it: members that are undefined here are not sent. */
function sent<Declared extends Declaration>(declared: Declared) {
  return declared as unknown as Extract<DeclarationDocument, { kind: Declared['kind'] }>;
}

/** The entity tag of what is there now. */
async function etagOf(answer: Promise<Answer<unknown>>): Promise<string> {
  return (await answer).etag ?? '';
}

function checkedOf({ refusal, publication, findings }: DocumentCheck): Checked {
  const problem = (answer: DocumentCheck['refusal']) =>
    answer === undefined ? undefined : BrokerRefusal.of(answer.status, answer, undefined);
  return { refusal: problem(refusal), publication: problem(publication), findings };
}

async function orMissing<T>(asked: Promise<Answer<T>>): Promise<Answer<T> | undefined> {
  return asked.catch((error: unknown) => {
    if (error instanceof BrokerProblem && error.status === 404) return undefined;
    throw error;
  });
}
