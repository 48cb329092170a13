import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/** Port: the database reads of a scrape. A rejection omits the metric from that scrape, so no value is stale. */
export interface MetricSources {
  /** the number of leases by state, up to 10,000 of each */
  leases(): Promise<ReadonlyMap<string, number>>;
  /** the number of running tasks */
  runningTasks(): Promise<number>;
  /** the number of overdue leases by provider and connection */
  overdue(): Promise<readonly { readonly provider: string; readonly connection: string; readonly count: number }[]>;
  /** the age of the oldest lease past its `dueAt`, in seconds; 0 when none is overdue */
  oldestOverdueSeconds(): Promise<number>;
}

/** The result of an issuance; see the problem codes `provider_rejected` and `provider_unavailable`. */
export type IssuanceOutcome = 'issued' | 'rejected' | 'unavailable' | 'failed';
export type ProviderOperation = 'mint' | 'renew' | 'revoke' | 'probe';

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** The service's Prometheus metrics. Every label has a bounded number of values, for any input. */
export class Metrics {
  private readonly registry = new Registry();
  private readonly providers = boundedLabel(32);
  private readonly connections = boundedLabel(256);
  private readonly issuers = boundedLabel(256);
  private readonly controls = boundedLabel(64);
  private readonly routes = boundedLabel(128);
  private readonly issuance = this.counter(
    'mayfly_issuance_total',
    'Requests to providers for a credential',
    'provider',
    'outcome',
  );
  private readonly denials = this.counter(
    'mayfly_denials_total',
    'Requests refused, by the control that refused',
    'control',
  );
  private readonly identityRefusals = this.counter(
    'mayfly_identity_refusals_total',
    'Identities refused, by reason (docs/problems.md)',
    'reason',
  );
  private readonly deathProbes = this.counter(
    'mayfly_death_probes_total',
    'Uses of ended credentials, by the answer of the target: refused, accepted, unknown',
    'provider',
    'outcome',
  );
  private readonly providerSeconds = this.histogram(
    'mayfly_provider_seconds',
    'Time of calls to providers',
    'provider',
    'operation',
  );
  private readonly httpSeconds = this.histogram(
    'mayfly_http_seconds',
    'Time from request to answer',
    'method',
    'route',
    'status',
  );

  constructor(sources: MetricSources) {
    // The default of 10 ms wakes an idle process a hundred times a second.
    collectDefaultMetrics({ register: this.registry, eventLoopMonitoringPrecision: 50 });
    this.collected('mayfly_leases', 'Leases by state, counted up to 10,000 of each', ['state'], async (gauge) => {
      for (const [state, count] of await sources.leases()) gauge.set({ state }, count);
    });
    this.collected('mayfly_running_tasks', 'Tasks that run', [], async (gauge) => {
      gauge.set(await sources.runningTasks());
    });
    const overdue = 'Leases that should be dead and are not proven dead, counted up to 10,000';
    this.collected('mayfly_overdue_leases', overdue, ['provider', 'connection'], async (gauge) => {
      for (const { provider, connection, count } of await sources.overdue()) {
        gauge.inc({ provider: this.providers(provider), connection: this.connections(connection) }, count);
      }
    });
    this.collected('mayfly_oldest_overdue_seconds', 'Age of the oldest overdue lease', [], async (gauge) => {
      gauge.set(await sources.oldestOverdueSeconds());
    });
  }

  /** Adds a gauge with one value for each connection in `read()`, which each scrape calls. */
  byConnection(name: string, help: string, read: () => ReadonlyMap<string, number>): void {
    this.collected(name, help, ['connection'], async (gauge) => {
      for (const [connection, value] of read()) gauge.set({ connection: this.connections(connection) }, value);
    });
  }

  /** Adds a gauge with one value for each issuer, by its URL, in `read()`. */
  byIssuer(name: string, help: string, read: () => ReadonlyMap<string, number>): void {
    this.collected(name, help, ['issuer'], async (gauge) => {
      for (const [issuer, value] of read()) gauge.set({ issuer: this.issuers(issuer) }, value);
    });
  }

  /** Adds a gauge whose value each scrape takes from `read()`; without a value, the scrape has none. */
  gauge(name: string, help: string, read: () => number | undefined): void {
    this.collected(name, help, [], async (gauge) => {
      const value = read();
      if (value !== undefined) gauge.set(value);
    });
  }

  issuanceEnded(provider: string, outcome: IssuanceOutcome): void {
    this.issuance.inc({ provider: this.providers(provider), outcome });
  }

  credentialUsed(provider: string, outcome: 'refused' | 'accepted' | 'unknown'): void {
    this.deathProbes.inc({ provider: this.providers(provider), outcome });
  }

  denied(control: string): void {
    this.denials.inc({ control: this.controls(control) });
  }

  /** `reason` is one of `IdentityRefusalReason`. */
  identityRefused(reason: string): void {
    this.identityRefusals.inc({ reason });
  }

  providerAnswered(provider: string, operation: ProviderOperation, seconds: number): void {
    this.providerSeconds.observe({ provider: this.providers(provider), operation }, seconds);
  }

  /** `route` is the route's pattern (`/tasks/:id`), never the address; undefined when no route matched. */
  requestAnswered(method: string, route: string | undefined, status: number, seconds: number): void {
    const labels = { method: methodLabel(method), route: this.routes(route ?? 'none'), status: statusClass(status) };
    this.httpSeconds.observe(labels, seconds);
  }

  /** Returns all metrics in the Prometheus text format, and the content type. */
  async render(): Promise<{ readonly contentType: string; readonly body: string }> {
    return { contentType: this.registry.contentType, body: await this.registry.metrics() };
  }

  private counter<Label extends string>(name: string, help: string, ...labelNames: Label[]): Counter<Label> {
    return new Counter({ name, help, labelNames, registers: [this.registry] });
  }

  private histogram<Label extends string>(name: string, help: string, ...labelNames: Label[]): Histogram<Label> {
    return new Histogram({ name, help, labelNames, buckets: SECONDS, registers: [this.registry] });
  }

  private collected<Label extends string>(
    name: string,
    help: string,
    labelNames: Label[],
    collect: (gauge: Gauge<Label>) => Promise<void>,
  ): void {
    const gauge = new Gauge<Label>({
      name,
      help,
      labelNames,
      registers: [this.registry],
      collect: async () => {
        gauge.reset();
        // A reset gauge without labels reads 0, which would claim that no lease is overdue.
        if (labelNames.length === 0) gauge.remove();
        await collect(gauge).catch(() => undefined);
      },
    });
  }
}

/** Passes at most `limit` distinct values; replaces later ones, and values over 128 characters, with `other`. */
function boundedLabel(limit: number): (value: string) => string {
  const known = new Set<string>();
  return (value) => {
    if (known.has(value)) return value;
    if (known.size >= limit || value.length > 128) return 'other';
    known.add(value);
    return value;
  };
}

function methodLabel(method: string): string {
  return ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'].includes(method) ? method : 'other';
}

function statusClass(status: number): string {
  return status >= 100 && status < 600 ? `${String(Math.trunc(status / 100))}xx` : 'other';
}
