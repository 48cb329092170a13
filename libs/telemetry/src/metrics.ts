import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/** What a scrape asks of the database. A rejection leaves the metric out of that scrape: absent, never stale. */
export interface MetricSources {
  /** leases by state */
  leases(): Promise<ReadonlyMap<string, number>>;
  /** age of the oldest lease past its `dueAt`, in seconds; 0 where none is */
  oldestOverdueSeconds(): Promise<number>;
}

/** How an issuance ended: see the problem codes `provider_rejected` and `provider_unavailable`. */
export type IssuanceOutcome = 'issued' | 'rejected' | 'unavailable' | 'failed';
export type ProviderOperation = 'mint' | 'renew' | 'revoke' | 'probe';

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** The service's Prometheus metrics. Every label has a bounded number of values, whatever callers send. */
export class Metrics {
  private readonly registry = new Registry();
  private readonly providers = boundedLabel(32);
  private readonly connections = boundedLabel(256);
  private readonly controls = boundedLabel(64);
  private readonly routes = boundedLabel(128);
  private readonly issuance = this.counter(
    'mayfly_issuance_total',
    'Credentials asked of providers',
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
  private readonly providerSeconds = this.histogram(
    'mayfly_provider_seconds',
    'Time that providers took',
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
    collectDefaultMetrics({ register: this.registry });
    this.collected('mayfly_leases', 'Leases by state', ['state'], async (gauge) => {
      for (const [state, count] of await sources.leases()) gauge.set({ state }, count);
    });
    this.collected('mayfly_oldest_overdue_seconds', 'Age of the oldest overdue lease', [], async (gauge) => {
      gauge.set(await sources.oldestOverdueSeconds());
    });
  }

  /** A gauge with one value a connection, read when a scrape asks for it. Connections that are not there have none. */
  byConnection(name: string, help: string, read: () => ReadonlyMap<string, number>): void {
    this.collected(name, help, ['connection'], async (gauge) => {
      for (const [connection, value] of read()) gauge.set({ connection: this.connections(connection) }, value);
    });
  }

  issuanceEnded(provider: string, outcome: IssuanceOutcome): void {
    this.issuance.inc({ provider: this.providers(provider), outcome });
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

  /** `route` is the pattern of the route (`/tasks/:id`), undefined where none matched; never the address. */
  requestAnswered(method: string, route: string | undefined, status: number, seconds: number): void {
    const labels = { method: methodLabel(method), route: this.routes(route ?? 'none'), status: statusClass(status) };
    this.httpSeconds.observe(labels, seconds);
  }

  /** All metrics in the Prometheus text format, and its content type. */
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
        // Without labels, a reset gauge reads 0; that would claim that nothing is overdue.
        if (labelNames.length === 0) gauge.remove();
        await collect(gauge).catch(() => undefined);
      },
    });
  }
}

/** Lets at most `limit` distinct values through; the ones that come later are all `other`. */
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
