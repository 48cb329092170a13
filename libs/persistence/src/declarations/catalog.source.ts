import { ConnectionSpecSchema } from '@mayfly/credentials';
import type { CatalogRows, CatalogSource, RegisteredAgent } from '@mayfly/declarations';
import { AgentSpecSchema, IssuerSpecSchema } from '@mayfly/identity';
import { type Labels, Problem } from '@mayfly/kernel';
import { TaskTemplateSpecSchema, type TemplateVersion } from '@mayfly/templates';
import { z } from 'zod';
import type { Pool } from 'pg';
import { databaseProblem, databaseUnread } from '../database/database-problem.js';
import { inTransaction } from '../database/transaction.js';

/**
 * Reads declared state from PostgreSQL in one snapshot and parses it again, since rows may be malformed. A row that
 * does not parse is not in force and is reported once; all other rows stay in force.
 */
export class PgCatalogSource implements CatalogSource {
  private leftOut: ReadonlySet<string> = new Set();

  constructor(
    private readonly pool: Pool,
    private readonly report: (error: unknown) => void,
  ) {}

  async revision(): Promise<string> {
    const { rows } = await this.pool.query<RevisionRow>({ name: 'revision', text: REVISION }).catch(databaseUnread);
    return revisionOf(rows);
  }

  async load(): Promise<CatalogRows> {
    const { revision, issuers, agents, connections, templates } = await this.read().catch(databaseProblem);
    const faults: string[] = [];
    const parse = <Row extends { readonly name: string }, Parsed>(
      kind: string,
      rows: Row[],
      read: (row: Row) => Parsed,
    ) => rows.flatMap((row) => parseOne(() => read(row), `${kind} \`${row.name}\``, faults));
    const parsed = {
      revision,
      issuers: parse('issuer', issuers, ({ name, spec }) => ({ name, spec: IssuerSpecSchema.parse(spec) })),
      agents: parse('agent', agents, agentOf),
      connections: parse('connection', connections, ({ name, spec, state }) => ({
        name,
        spec: ConnectionSpecSchema.parse(spec),
        ...(state === 'disabled' ? { disabled: true } : {}),
      })),
      templates: parse('template', templates, versionOf),
    };
    this.tell(faults);
    return parsed;
  }

  /** Reads all rows in one snapshot. */
  private read() {
    return inTransaction(this.pool, async (client) => {
      await client.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY');
      const rows = async <Row extends object>(text: string): Promise<Row[]> => (await client.query<Row>(text)).rows;
      return {
        revision: revisionOf(await rows<RevisionRow>(REVISION)),
        issuers: await rows<DeclaredRow>('SELECT name, spec FROM public.issuer'),
        agents: await rows<AgentRow>('SELECT id, name, labels, state, spec FROM public.agent'),
        connections: await rows<DeclaredRow & { state: string }>('SELECT name, spec, state FROM public.connection'),
        templates: await rows<VersionRow>(
          `SELECT v.name, v.version, v.labels, v.spec, v.digest FROM public.template_version v
           JOIN public.template t ON t.name = v.name AND t.current_version = v.version WHERE t.state = 'published'`,
        ),
      };
    });
  }

  /** Reports each fault once while it lasts: the service reads every few seconds. */
  private tell(faults: readonly string[]): void {
    const news = faults.filter((fault) => !this.leftOut.has(fault));
    this.leftOut = new Set(faults);
    for (const fault of news) this.report(new Problem('internal', fault));
  }
}

const REVISION = 'SELECT revision FROM public.declared_revision WHERE id = 0';

interface RevisionRow {
  /** a bigint */
  readonly revision: string;
}

function revisionOf([row]: readonly RevisionRow[]): string {
  if (row === undefined) throw new Problem('unavailable', 'the database has lost the revision of declared state');
  return row.revision;
}

/** Returns the parsed row in a list, or an empty list plus a fault. A fault names places, never values. */
function parseOne<Parsed>(read: () => Parsed, what: string, faults: string[]): Parsed[] {
  try {
    return [read()];
  } catch (error) {
    const places = error instanceof z.ZodError ? error.issues.map(({ path }) => path.join('.')).join(', ') : 'its row';
    faults.push(`the stored ${what} is invalid at ${places} and out of force; declare it again`);
    return [];
  }
}

interface DeclaredRow {
  readonly name: string;
  readonly spec: unknown;
}

type AgentRow = DeclaredRow & Omit<RegisteredAgent, 'spec'>;

function agentOf({ id, name, labels, state, spec }: AgentRow): RegisteredAgent {
  return { id, name, labels, state, spec: AgentSpecSchema.parse(spec) };
}

/** A row of `template_version`. */
interface VersionRow {
  readonly name: string;
  readonly version: number;
  readonly labels: unknown;
  readonly spec: unknown;
  readonly digest: string;
}

function versionOf({ name, version, labels, spec, digest }: VersionRow): TemplateVersion {
  return { name, version, labels: labels as Labels, spec: TaskTemplateSpecSchema.parse(spec), digest };
}
