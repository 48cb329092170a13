import type { KeyObject } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { GroupCommit, Problem } from '@mayfly/kernel';
import { DIGESTS, type SignInput, type SigningAlgorithm } from '@mayfly/trust';

interface Item {
  readonly algorithm: SigningAlgorithm;
  readonly key: KeyObject;
  readonly input: string;
}

/** A message to the thread: texts to sign. `key` is present when it differs from the key of the last message. */
interface Order {
  readonly key?: KeyObject;
  readonly digest: string | null;
  readonly inputs: readonly string[];
}

/** The number of tokens that may wait for the thread: as many as the requests that may wait for a commit. */
const MAX_WAITING = 4_096;
/** The thread holds one program of a few lines; its heap needs no more. */
const LIMITS = { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 8 };

/**
 * Signs on a thread of its own, with one message for all tokens that wait. Node's thread pool takes one message and
 * wakes the main thread once for each token; under load this cost more than the signature (ADR 0005). The thread starts
 * with the first token. When it stops, the waiting requests fail with `unavailable`, and the next one starts another
 * thread.
 */
export class SigningWorker {
  private readonly waiting: GroupCommit<Item, Buffer>;
  private thread: Thread | undefined;

  constructor() {
    this.waiting = new GroupCommit((items) => this.signAll(items), {
      ...{ maxItems: 256, maxRunning: 1, maxWaiting: MAX_WAITING, isOfOneItem: () => false },
    });
  }

  readonly sign: SignInput = (algorithm, key, input) => this.waiting.submit({ algorithm, key, input });

  async close(): Promise<void> {
    await this.thread?.end();
  }

  private async signAll(items: readonly Item[]): Promise<readonly Buffer[]> {
    const thread = (this.thread ??= this.start());
    const signatures: Buffer[] = [];
    for (const group of groupsByKey(items)) signatures.push(...(await thread.sign(group)));
    return signatures;
  }

  private start(): Thread {
    // A failed thread reports its error and then its exit; another one may have started between the two.
    const thread: Thread = new Thread(() => {
      if (this.thread === thread) this.thread = undefined;
    });
    return thread;
  }
}

/**
 * Returns the items in groups of neighbours with one key, in their order: an order to the thread has one key. A batch
 * has more than one group only when a new key begins to sign during it.
 */
function groupsByKey(items: readonly Item[]): Item[][] {
  const groups: Item[][] = [];
  for (const item of items) {
    const group = groups.at(-1);
    if (group?.[0]?.key === item.key) group.push(item);
    else groups.push([item]);
  }
  return groups;
}

/** One thread, with at most one order under way. */
class Thread {
  private readonly worker = new Worker(`(${signOrders.toString()})()`, { eval: true, resourceLimits: LIMITS });
  private lastKey: KeyObject | undefined;
  private resolve: ((signatures: readonly Uint8Array[]) => void) | undefined;
  private reject: ((error: Error) => void) | undefined;

  constructor(private readonly onEnd: () => void) {
    this.worker.on('message', (signatures: readonly Uint8Array[]) => this.resolve?.(signatures));
    this.worker.on('error', (error) => {
      this.fail(error);
    });
    this.worker.on('exit', () => {
      this.fail(new Error('the thread ended'));
    });
    // Last: a listener for messages makes the thread keep the process alive again.
    this.worker.unref();
  }

  /** Signs the inputs of items with one key. */
  async sign(items: readonly Item[]): Promise<Buffer[]> {
    const [first] = items;
    if (first === undefined) return [];
    const { algorithm, key } = first;
    const order: Order = {
      digest: DIGESTS[algorithm],
      inputs: items.map(({ input }) => input),
      ...(key === this.lastKey ? {} : { key }),
    };
    const signed = await new Promise<readonly Uint8Array[]>((resolve, reject) => {
      [this.resolve, this.reject, this.lastKey] = [resolve, reject, key];
      this.worker.postMessage(order);
    });
    return signed.map((bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  }

  async end(): Promise<void> {
    await this.worker.terminate();
  }

  private fail(cause: Error): void {
    this.onEnd();
    const detail = 'the thread that signs tokens ended; send the request again';
    this.reject?.(new Problem('unavailable', detail, { cause, retryAfterSeconds: 1 }));
  }
}

/**
 * The program of the thread. It is sent as text, so that the build needs no file for it; it therefore uses nothing else
 * of this module.
 */
function signOrders(): void {
  const { parentPort } = process.getBuiltinModule('node:worker_threads');
  const { sign } = process.getBuiltinModule('node:crypto');
  let current: KeyObject | undefined;
  parentPort?.on('message', ({ key, digest, inputs }: Order) => {
    current = key ?? current;
    const privateKey = current;
    if (privateKey === undefined) throw new Error('the first order has no key');
    parentPort.postMessage(
      inputs.map((input) => sign(digest, Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' })),
    );
  });
}
