import { ConnectionSpecSchema } from '@mayfly/credentials';
import type { CatalogRows, CatalogSource, RegisteredAgent } from '@mayfly/declarations';
import { AgentSpecSchema, IssuerSpecSchema } from '@mayfly/identity';
import { Problem } from '@mayfly/kernel';
import { type DeclaredPolicy, PolicySpecSchema } from '@mayfly/policy';
import { TaskTemplateSpecSchema, type TemplateVersion } from '@mayfly/templates';
import { z } from 'zod';
import { databaseUnread } from '../database/database-problem.js';
import type { DeclaredRows, RecordRow, TemplateRow } from './declared-rows.js';

/**
 * Parses declared state again, since rows may be malformed; a row that did not change is parsed once. A row that does
 * not parse is not in force and is reported once; all other rows stay in force.
 */
export class PgCatalogSource implements CatalogSource {
  /** the result of parsing each row */
  private readonly parsed = new WeakMap<object, Parsed<unknown>>();
  private leftOut: ReadonlySet<string> = new Set();

  constructor(
    private readonly rows: DeclaredRows,
    private readonly report: (error: unknown) => void,
  ) {}

  revision(): Promise<string> {
    return this.rows.revision().catch(databaseUnread);
  }

  async load(all: boolean): Promise<CatalogRows> {
    const { revision, records, templates, lockdowns } = await this.rows.read(all);
    const faults: string[] = [];
    const parse = <Row extends Named, Value>(
      kind: string,
      rows: ReadonlyMap<string, Row>,
      read: (row: Row) => Value | undefined,
    ) =>
      [...rows.values()].flatMap((row): Value[] => {
        const { value, fault } = this.parse(kind, row, read);
        if (fault !== undefined) faults.push(fault);
        return value === undefined ? [] : [value];
      });
    const parsed = {
      revision,
      lockdowns,
      issuers: parse('issuer', records.Issuer, ({ name, spec }) => ({ name, spec: IssuerSpecSchema.parse(spec) })),
      agents: parse('agent', records.Agent, agentOf),
      connections: parse('connection', records.Connection, ({ name, spec, state }) => ({
        name,
        spec: ConnectionSpecSchema.parse(spec),
        ...(state === 'disabled' ? { disabled: true } : {}),
      })),
      policies: this.readPolicies(records.Policy, faults),
      templates: parse('template', templates, versionOf),
    };
    this.tell(faults);
    return parsed;
  }

  /**
   * INVARIANT: I7, a policy that does not parse is in force without a spec, and so denies everything: without it, what it
   * forbids would be granted.
   */
  private readPolicies(rows: ReadonlyMap<string, RecordRow>, faults: string[]): readonly DeclaredPolicy[] {
    return [...rows.values()].map((row) => {
      const { value, fault } = this.parse('policy', row, ({ name, spec }) => ({
        ...{ name, spec: PolicySpecSchema.parse(spec) },
      }));
      if (fault !== undefined) faults.push(`${fault}; until then every request is denied`);
      return value ?? { name: row.name, spec: undefined };
    });
  }

  private parse<Row extends Named, Value>(
    kind: string,
    row: Row,
    read: (row: Row) => Value | undefined,
  ): Parsed<Value> {
    const known = this.parsed.get(row) as Parsed<Value> | undefined;
    if (known !== undefined) return known;
    const parsed = parseOne(() => read(row), `${kind} \`${row.name}\``);
    this.parsed.set(row, parsed);
    return parsed;
  }

  /** Reports each fault once while it lasts: the service reads again after each change. */
  private tell(faults: readonly string[]): void {
    const news = faults.filter((fault) => !this.leftOut.has(fault));
    this.leftOut = new Set(faults);
    for (const fault of news) this.report(new Problem('internal', fault));
  }
}

interface Named {
  readonly name: string;
}

/** A value, a fault, or neither for a template that is not in force. */
interface Parsed<Value> {
  readonly value?: Value | undefined;
  readonly fault?: string;
}

/** Returns the parsed row or its fault. A fault names places, never values. */
function parseOne<Value>(read: () => Value | undefined, what: string): Parsed<Value> {
  try {
    return { value: read() };
  } catch (error) {
    const places = error instanceof z.ZodError ? error.issues.map(({ path }) => path.join('.')).join(', ') : 'its row';
    return { fault: `the stored ${what} is invalid at ${places} and out of force; declare it again` };
  }
}

function agentOf({ id, name, labels, state, spec }: RecordRow): RegisteredAgent {
  return { id, name, labels, state, spec: AgentSpecSchema.parse(spec) } as RegisteredAgent;
}

/** Returns undefined for a template that is not in force. */
function versionOf({ name, state, version, labels, spec, digest }: TemplateRow): TemplateVersion | undefined {
  if (state !== 'published' || version === null || labels === null || digest === null) return undefined;
  return { name, version, labels, spec: TaskTemplateSpecSchema.parse(spec), digest };
}
