import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/** Milliseconds that connections of a stopping server may stay open. */
export interface DrainBounds {
  /** connections without a complete request */
  readonly unfinishedMs: number;
  /** complete answers that the peer has not read */
  readonly unreadMs: number;
  /** requests in process */
  readonly answerMs: number;
}

/** Mayfly gives up a mint after 10 s and answers its request soon afterwards. */
const BOUNDS: DrainBounds = { unfinishedMs: 500, unreadMs: 2_000, answerMs: 12_000 };
const LOOK_MS = 25;

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** when the drain first saw the complete answer */
  answeredAt?: number;
}

/**
 * Ends the connections of stopping HTTP servers, whatever their peers do. Node alone waits for a peer that sends
 * nothing, sends half a request, or does not read its answer. Anybody can be such a peer, and would delay the stop.
 */
export class ConnectionDrain {
  private readonly servers: Server[] = [];
  private readonly connections = new Map<Socket, Set<Exchange>>();
  private draining: Promise<void> | undefined;

  constructor(private readonly bounds: DrainBounds = BOUNDS) {}

  /** Follows all connections that the server accepts from now on. */
  follow(server: Server): void {
    this.servers.push(server);
    server.on('connection', (socket: Socket) => {
      this.connections.set(socket, new Set());
      socket.once('close', () => this.connections.delete(socket));
    });
    server.prependListener('request', (request: IncomingMessage, response: ServerResponse) => {
      const exchanges = this.connections.get(request.socket);
      const exchange = { request, response };
      exchanges?.add(exchange);
      response.once('close', () => exchanges?.delete(exchange));
      if (this.draining !== undefined) response.shouldKeepAlive = false;
    });
  }

  /** True when a complete request on this connection waits for its answer. */
  isProcessing(socket: Socket): boolean {
    return [...(this.connections.get(socket) ?? [])].some(({ request }) => request.complete);
  }

  /** Resolves when no connection is open. Idle ones end at once, all others within their bounds. Safe to repeat. */
  drain(): Promise<void> {
    return (this.draining ??= this.run());
  }

  private async run(): Promise<void> {
    const began = performance.now();
    for (const { response } of [...this.connections.values()].flatMap((exchanges) => [...exchanges]))
      response.shouldKeepAlive = false;
    do {
      this.servers.forEach((server) => {
        server.closeIdleConnections();
      });
      const now = performance.now();
      for (const [socket, exchanges] of this.connections)
        if (this.isOverdue([...exchanges], now, now - began)) socket.destroy();
      await pause(LOOK_MS);
    } while (this.connections.size > 0);
  }

  private isOverdue(exchanges: readonly Exchange[], now: number, elapsedMs: number): boolean {
    const { unfinishedMs, unreadMs, answerMs } = this.bounds;
    if (elapsedMs >= answerMs) return true;
    const open = exchanges.filter((exchange) => !isAnswered(exchange, now));
    if (exchanges.length > 0 && open.length === 0)
      return exchanges.every(({ answeredAt = now }) => now - answeredAt >= unreadMs);
    return elapsedMs >= unfinishedMs && open.every(({ request }) => !request.complete);
  }
}

function isAnswered(exchange: Exchange, now: number): boolean {
  if (!exchange.response.writableEnded) return false;
  exchange.answeredAt ??= now;
  return true;
}
