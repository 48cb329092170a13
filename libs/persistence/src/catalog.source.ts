import { ConnectionSpecSchema } from '@mayfly/credentials';
import type { CatalogRows, CatalogSource, RegisteredAgent } from '@mayfly/declarations';
import { AgentSpecSchema, IssuerSpecSchema } from '@mayfly/identity';
import type { Labels } from '@mayfly/kernel';
import { TaskTemplateSpecSchema, type TemplateVersion } from '@mayfly/templates';
import { databaseProblem } from './database-problem.js';
import type { PrismaClient } from './generated/client.js';

/** Declared state as PostgreSQL holds it, read in one snapshot and parsed again: rows are not trusted to be well formed. */
export class PgCatalogSource implements CatalogSource {
  constructor(private readonly prisma: PrismaClient) {}

  async load(): Promise<CatalogRows> {
    const [issuers, agents, connections, templates] = await this.prisma
      .$transaction(
        [
          this.prisma.issuer.findMany(),
          this.prisma.agent.findMany(),
          this.prisma.connection.findMany(),
          this.prisma.$queryRaw<VersionRow[]>`
            SELECT v.name, v.version, v.labels, v.spec, v.digest FROM template_version v
            JOIN template t ON t.name = v.name AND t.current_version = v.version WHERE t.state = 'published'`,
        ],
        { isolationLevel: 'RepeatableRead' },
      )
      .catch(databaseProblem);
    return {
      issuers: issuers.map(({ name, spec }) => ({ name, spec: IssuerSpecSchema.parse(spec) })),
      agents: agents.map(
        ({ id, name, labels, state, spec }) =>
          ({ id, name, labels, state, spec: AgentSpecSchema.parse(spec) }) as RegisteredAgent,
      ),
      connections: connections.map(({ name, spec }) => ({ name, spec: ConnectionSpecSchema.parse(spec) })),
      templates: templates.map(versionOf),
    };
  }
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
