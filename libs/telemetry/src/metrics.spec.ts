import { describe, expect, it } from '@jest/globals';
import { Metrics, type MetricSources } from './metrics.js';

const quiet: MetricSources = {
  leases: async () => new Map(),
  runningTasks: async () => 0,
  overdue: async () => [],
  oldestOverdueSeconds: async () => 0,
};

async function lines(metrics: Metrics, name: string): Promise<string[]> {
  const { body } = await metrics.render();
  return body.split('\n').filter((line) => line.startsWith(name));
}

/** Returns the number of label sets of a metric; a histogram counts once for each set. */
async function series(metrics: Metrics, name: string): Promise<number> {
  return (await lines(metrics, name)).length;
}

describe('Metrics', () => {
  it('Metrics counts issuances by provider and outcome', async () => {
    const metrics = new Metrics(quiet);
    metrics.issuanceEnded('postgres', 'issued');
    metrics.issuanceEnded('postgres', 'issued');
    metrics.issuanceEnded('postgres', 'rejected');
    expect(await lines(metrics, 'mayfly_issuance_total')).toEqual([
      'mayfly_issuance_total{provider="postgres",outcome="issued"} 2',
      'mayfly_issuance_total{provider="postgres",outcome="rejected"} 1',
    ]);
  });

  it('Metrics counts denials by control', async () => {
    const metrics = new Metrics(quiet);
    metrics.denied('runtime');
    expect(await lines(metrics, 'mayfly_denials_total')).toEqual(['mayfly_denials_total{control="runtime"} 1']);
  });

  it('Metrics measures providers and requests in seconds', async () => {
    const metrics = new Metrics(quiet);
    metrics.providerAnswered('postgres', 'mint', 0.02);
    metrics.requestAnswered('POST', '/tasks', 201, 0.004);
    metrics.requestAnswered('PURGE', undefined, 99, 0.004);
    expect(await lines(metrics, 'mayfly_provider_seconds_bucket{le="0.025"')).toEqual([
      'mayfly_provider_seconds_bucket{le="0.025",provider="postgres",operation="mint"} 1',
    ]);
    expect(await lines(metrics, 'mayfly_http_seconds_count')).toEqual([
      'mayfly_http_seconds_count{method="POST",route="/tasks",status="2xx"} 1',
      'mayfly_http_seconds_count{method="other",route="none",status="other"} 1',
    ]);
  });

  it('Metrics reads connection values at each scrape, and forgets connections that are gone', async () => {
    const metrics = new Metrics(quiet);
    let orphans = new Map([['vault-main', 2]]);
    metrics.byConnection('mayfly_orphans', 'What no lease knows', () => orphans);
    expect(await lines(metrics, 'mayfly_orphans')).toEqual(['mayfly_orphans{connection="vault-main"} 2']);
    orphans = new Map();
    expect(await lines(metrics, 'mayfly_orphans')).toEqual([]);
  });

  it('Metrics counts overdue leases by provider and connection, and forgets those that are gone', async () => {
    let counts = [
      { provider: 'postgres', connection: 'crm', count: 2 },
      { provider: 'signed-token', connection: 'none', count: 1 },
    ];
    const metrics = new Metrics({ ...quiet, overdue: async () => counts });
    expect(await lines(metrics, 'mayfly_overdue_leases')).toEqual([
      'mayfly_overdue_leases{provider="postgres",connection="crm"} 2',
      'mayfly_overdue_leases{provider="signed-token",connection="none"} 1',
    ]);
    counts = [];
    expect(await lines(metrics, 'mayfly_overdue_leases')).toEqual([]);
  });

  it('Metrics asks for leases and the oldest overdue one at each scrape', async () => {
    let active = 1;
    let overdue = 0;
    const metrics = new Metrics({
      runningTasks: async () => active,
      leases: async () => new Map(active > 0 ? [['active', active]] : [['revoked', 3]]),
      overdue: async () => [],
      oldestOverdueSeconds: async () => overdue,
    });
    expect(await lines(metrics, 'mayfly_leases')).toEqual(['mayfly_leases{state="active"} 1']);
    expect(await lines(metrics, 'mayfly_oldest_overdue_seconds')).toEqual(['mayfly_oldest_overdue_seconds 0']);
    expect(await lines(metrics, 'mayfly_running_tasks')).toEqual(['mayfly_running_tasks 1']);
    active = 0;
    overdue = 12.5;
    expect(await lines(metrics, 'mayfly_leases')).toEqual(['mayfly_leases{state="revoked"} 3']);
    expect(await lines(metrics, 'mayfly_oldest_overdue_seconds')).toEqual(['mayfly_oldest_overdue_seconds 12.5']);
  });

  it('Metrics takes a gauge from its source at each scrape, and leaves it out without a value', async () => {
    const metrics = new Metrics(quiet);
    let usage: number | undefined = 0.25;
    metrics.gauge('mayfly_notify_queue_usage', 'part in use', () => usage);
    expect(await lines(metrics, 'mayfly_notify_queue_usage')).toEqual(['mayfly_notify_queue_usage 0.25']);
    usage = undefined;
    expect(await lines(metrics, 'mayfly_notify_queue_usage')).toEqual([]);
  });

  it('Metrics leaves out what it cannot read, and still answers', async () => {
    let down = false;
    const read = async <T>(value: T): Promise<T> => {
      if (down) throw new Error('database is down');
      return value;
    };
    const metrics = new Metrics({
      leases: () => read(new Map([['active', 1]])),
      runningTasks: () => read(1),
      overdue: () => read([]),
      oldestOverdueSeconds: () => read(4),
    });
    metrics.denied('runtime');
    expect(await lines(metrics, 'mayfly_oldest_overdue_seconds')).toHaveLength(1);
    down = true;
    expect(await lines(metrics, 'mayfly_leases')).toEqual([]);
    expect(await lines(metrics, 'mayfly_oldest_overdue_seconds')).toEqual([]);
    expect(await lines(metrics, 'mayfly_denials_total')).toHaveLength(1);
    down = false;
    expect(await lines(metrics, 'mayfly_oldest_overdue_seconds')).toEqual(['mayfly_oldest_overdue_seconds 4']);
  });

  it('Metrics bounds its labels, whatever is sent', async () => {
    const metrics = new Metrics(quiet);
    for (let i = 0; i < 1000; i++) {
      metrics.denied(`control-${String(i)}`);
      metrics.issuanceEnded(`provider-${String(i)}`, 'failed');
      metrics.requestAnswered(`METHOD${String(i)}`, `/route-${String(i)}`, i, 0.1);
    }
    metrics.denied('x'.repeat(200));
    expect(await series(metrics, 'mayfly_denials_total')).toBe(65);
    expect(await series(metrics, 'mayfly_issuance_total')).toBe(33);
    expect(await series(metrics, 'mayfly_http_seconds_count')).toBeLessThan(150);
    expect(await lines(metrics, 'mayfly_denials_total{control="other"}')).toEqual([
      'mayfly_denials_total{control="other"} 937',
    ]);
  });

  it('Metrics includes the process itself, in the format that Prometheus reads', async () => {
    const metrics = new Metrics(quiet);
    expect(await series(metrics, 'process_resident_memory_bytes')).toBe(1);
    expect((await metrics.render()).contentType).toMatch(/^text\/plain; version=0\.0\.4/);
  });

  it('Metrics keeps two services in one process apart', async () => {
    const [one, other] = [new Metrics(quiet), new Metrics(quiet)];
    one.denied('runtime');
    expect(await series(other, 'mayfly_denials_total')).toBe(0);
  });
});
