import { newId, type LeaseId } from '@mayfly/kernel';
import { describe, expect, it } from '@jest/globals';
import type { JobProcessor, JobSink, JobSource, QueueBackend, QueueEnd } from './queue-backend.js';
import { LeaseQueue } from './queue.js';

type Written = Parameters<JobSink['addBulk']>[0];

/** A queue in memory that can be made to refuse, to hang and to hand a job out. */
class FakeBackend implements QueueBackend {
  readonly written: Written = [];
  reachable = true;
  opened = 0;
  closed = 0;
  adding: () => Promise<void> = async () => undefined;
  readyTakes: Promise<void> = Promise.resolve();
  closingTakes: Promise<void> = Promise.resolve();
  process: JobProcessor | undefined;
  report: (error: Error) => void = () => undefined;

  async sink(): Promise<JobSink> {
    return {
      ...this.end(),
      addBulk: async (jobs) => {
        await this.adding();
        this.written.push(...jobs);
      },
    };
  }

  async source(process: JobProcessor): Promise<JobSource> {
    return {
      ...this.end(),
      run: async () => {
        this.process = process;
      },
    };
  }

  private end(): QueueEnd {
    this.opened += 1;
    const ready = this.reachable ? Promise.resolve() : Promise.reject(new Error('connection refused'));
    return {
      waitUntilReady: () => this.readyTakes.then(() => ready),
      close: async () => {
        await this.closingTakes;
        this.closed += 1;
      },
      on: (_event, listener) => {
        this.report = listener;
      },
    };
  }
}

function queueOn(backend: QueueBackend) {
  const clock = {
    at: Date.UTC(2026, 0, 1),
    now() {
      return new Date(this.at);
    },
  };
  const warnings: { failures: number }[] = [];
  const log = { warn: (members: object) => warnings.push(members as { failures: number }) };
  return { queue: new LeaseQueue(backend, clock, log), clock, warnings };
}

const leaseId = newId('lse');
const due = (ms: number) => ({ leaseId, reason: 'due', runAt: new Date(Date.UTC(2026, 0, 1) + ms) });

describe('LeaseQueue.add', () => {
  it('LeaseQueue.add writes the lease id and nothing else, to run when it is due', async () => {
    const backend = new FakeBackend();
    await queueOn(backend).queue.add([due(90_500)]);
    expect(backend.written).toEqual([
      {
        name: 'look',
        data: { leaseId },
        opts: { jobId: `due-${leaseId}-1767225690`, delay: 90_500, removeOnComplete: true, removeOnFail: true },
      },
    ]);
  });

  it('LeaseQueue.add runs what is overdue at once', async () => {
    const backend = new FakeBackend();
    await queueOn(backend).queue.add([due(-5000)]);
    expect(backend.written[0]?.opts.delay).toBe(0);
  });

  it('LeaseQueue.add connects once, and not at all for no jobs', async () => {
    const backend = new FakeBackend();
    const { queue } = queueOn(backend);
    await queue.add([]);
    expect(backend.opened).toBe(0);
    await Promise.all([queue.add([due(1)]), queue.add([due(2)])]);
    await queue.add([due(3)]);
    expect(backend.opened).toBe(1);
    expect(backend.written).toHaveLength(3);
  });

  it('LeaseQueue.add drops jobs while the queue is away, tries again a second later, and continues', async () => {
    const backend = new FakeBackend();
    backend.reachable = false;
    const { queue, clock, warnings } = queueOn(backend);
    await queue.add([due(1)]);
    await queue.add([due(2)]);
    expect(backend.opened).toBe(1);
    expect(warnings).toHaveLength(1);
    backend.reachable = true;
    clock.at += 1000;
    await queue.add([due(3)]);
    expect(backend.written.map(({ opts }) => opts.delay)).toEqual([0]);
    expect(backend.closed).toBe(1);
  });

  it('LeaseQueue.add keeps its connection when one call fails', async () => {
    const backend = new FakeBackend();
    const { queue, clock } = queueOn(backend);
    backend.adding = () => Promise.reject(new Error('terminating connection'));
    await queue.add([due(1)]);
    backend.adding = async () => undefined;
    clock.at += 1000;
    await queue.add([due(2)]);
    expect(backend.opened).toBe(1);
    expect(backend.written).toHaveLength(1);
  });

  it('LeaseQueue.add logs a long outage at most once in 30 s, with the number of failures', async () => {
    const backend = new FakeBackend();
    const { queue, clock, warnings } = queueOn(backend);
    backend.adding = () => Promise.reject(new Error('down'));
    for (let second = 0; second <= 61; second++) {
      await queue.add([due(1)]);
      clock.at += 1000;
    }
    expect(warnings.map(({ failures }) => failures)).toEqual([1, 30, 30]);
  });

  it('LeaseQueue.add survives an error that its connection reports between calls', () => {
    const backend = new FakeBackend();
    const { queue, warnings } = queueOn(backend);
    return queue.add([due(1)]).then(() => {
      backend.report(new Error('connection lost'));
      expect(warnings).toHaveLength(1);
    });
  });

  it('LeaseQueue.add logs a library that cannot be loaded, and goes on without jobs', async () => {
    const backend = new FakeBackend();
    backend.sink = () => Promise.reject(new Error('Cannot find package'));
    const { queue, warnings } = queueOn(backend);
    await queue.add([due(1)]);
    expect(warnings).toMatchObject([{ err: { message: 'Cannot find package' } }]);
  });

  it('LeaseQueue.add does nothing once it is closed', async () => {
    const backend = new FakeBackend();
    const { queue } = queueOn(backend);
    await queue.close();
    await queue.add([due(1)]);
    expect(backend.opened).toBe(0);
  });
});

describe('LeaseQueue.work', () => {
  const settled = () => new Promise((resolve) => setImmediate(resolve));

  it('LeaseQueue.work hands the lease id to the handler', async () => {
    const backend = new FakeBackend();
    const seen: LeaseId[] = [];
    queueOn(backend).queue.work(async (id) => void seen.push(id), 4);
    await settled();
    await backend.process?.({ data: { leaseId } });
    expect(seen).toEqual([leaseId]);
  });

  it.each([[{}], [{ leaseId: 'tsk_1' }], [{ leaseId: `lse_${'x'.repeat(30)}` }]])(
    'LeaseQueue.work passes over a job that names no lease: %j',
    async (data) => {
      const backend = new FakeBackend();
      const seen: LeaseId[] = [];
      queueOn(backend).queue.work(async (id) => void seen.push(id), 4);
      await settled();
      await backend.process?.({ data });
      expect(seen).toEqual([]);
    },
  );

  it('LeaseQueue.work logs a handler that fails, and leaves the lease to the sweeper', async () => {
    const backend = new FakeBackend();
    const { queue, warnings } = queueOn(backend);
    queue.work(() => Promise.reject(new Error('database is down')), 4);
    await settled();
    await expect(backend.process?.({ data: { leaseId } })).resolves.toBeUndefined();
    expect(warnings).toHaveLength(1);
  });

  it('LeaseQueue.work runs no job before every connection is open, so that closing waits for each job', async () => {
    const backend = new FakeBackend();
    let open: () => void = () => undefined;
    backend.readyTakes = new Promise((resolve) => (open = resolve));
    queueOn(backend).queue.work(async () => undefined, 4);
    await settled();
    expect(backend.process).toBeUndefined();
    open();
    await settled();
    expect(backend.process).toBeDefined();
  });

  it('LeaseQueue.work does not stop the service from starting or closing while the queue is away', async () => {
    const backend = new FakeBackend();
    backend.reachable = false;
    const { queue, warnings } = queueOn(backend);
    queue.work(async () => undefined, 4);
    await settled();
    expect(backend.process).toBeUndefined();
    expect(warnings).toHaveLength(1);
    await queue.close();
  });

  it('LeaseQueue.work waits for the jobs under way when it closes', async () => {
    const backend = new FakeBackend();
    let finish: () => void = () => undefined;
    backend.closingTakes = new Promise((resolve) => {
      finish = resolve;
    });
    const { queue } = queueOn(backend);
    queue.work(async () => undefined, 4);
    await settled();
    let closed = false;
    const closing = queue.close().then(() => {
      closed = true;
    });
    await settled();
    expect(closed).toBe(false);
    finish();
    await closing;
    expect(backend.closed).toBe(1);
  });

  it('closes an end that was made while it closes', async () => {
    const backend = new FakeBackend();
    const { queue } = queueOn(backend);
    const source = backend.source.bind(backend);
    let made: () => void = () => undefined;
    const loading = new Promise<void>((resolve) => (made = resolve));
    backend.source = async (process) => {
      await loading;
      return source(process);
    };
    queue.work(async () => undefined, 4);
    const closing = queue.close();
    made();
    await closing;
    expect([backend.opened, backend.closed]).toEqual([1, 1]);
  });
});
