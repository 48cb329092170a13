import { type HeldRequest, HttpDoor, type OperationAnswer } from '@mayfly/enforcement';
import { ApiProblems, Caller, IdentifiedBy, Permits } from '@mayfly/http';
import type { Principal } from '@mayfly/identity';
import { Problem } from '@mayfly/kernel';
import { All, Controller, Get, Header, HttpCode, Param, Req, Res } from '@nestjs/common';
import {
  ApiBearerAuth,
  ApiExcludeEndpoint,
  ApiHeader,
  ApiOkResponse,
  ApiOperation,
  ApiSecurity,
  ApiTags,
} from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** The header with the gateway's own token: `Authorization` is that of the agent. */
const GATEWAY_HEADER = 'x-mayfly-gateway';
const ENVOY_PREFIX = '/authorize/envoy/';
/** Headers that one request has once: two servers may read two values in different ways. */
const SINGLE: ReadonlySet<string> = new Set([
  ...['authorization', GATEWAY_HEADER, 'x-mayfly-connection', 'x-original-method', 'x-original-uri', 'x-request-id'],
]);

/**
 * The doors for gateways that know nothing of Mayfly and ask an HTTP server about each request: 200 lets the request
 * through, and every other status refuses it.
 */
@ApiTags('operations')
@ApiProblems()
@Controller('authorize')
export class DoorsController {
  constructor(private readonly door: HttpDoor) {}

  @Get('nginx')
  @HttpCode(200)
  @Permits(['workload', 'agent'])
  @IdentifiedBy(GATEWAY_HEADER)
  @Header('cache-control', 'no-store')
  @ApiOperation({
    summary: 'Ask about a request as auth_request of nginx does',
    description:
      'For gateways of the connection and resource servers of its audience (docs/gateways.md). 200 without a body permits and takes one use; 403 denies, with the control in `x-mayfly-control`.',
  })
  @ApiSecurity('gateway')
  @ApiBearerAuth()
  @ApiHeader({ name: 'x-mayfly-connection', required: true, description: 'the connection with the routes' })
  @ApiHeader({ name: 'x-original-method', required: true })
  @ApiHeader({ name: 'x-original-uri', required: true, description: 'the request target, byte for byte' })
  @ApiHeader({ name: 'x-request-id', description: "nginx's own id: the same id within 60 s is the same use" })
  @ApiOkResponse({ description: 'permitted' })
  nginx(@Caller() caller: Principal, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply) {
    const original = (name: string): string => single(request, name) ?? '';
    return this.ask(caller, request, reply, {
      connection: original('x-mayfly-connection'),
      method: original('x-original-method'),
      target: original('x-original-uri'),
    });
  }

  /** Envoy sends the method of the request, and its path below the prefix, so that this is no route of one method. */
  @All('envoy/:connection/*')
  @HttpCode(200)
  @Permits(['workload', 'agent'])
  @IdentifiedBy(GATEWAY_HEADER)
  @Header('cache-control', 'no-store')
  @ApiExcludeEndpoint()
  envoy(
    @Caller() caller: Principal,
    @Param('connection') connection: string,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    // The router decodes; what was asked about is what arrived.
    const target = (request.raw.url ?? '').slice(ENVOY_PREFIX.length + connection.length);
    return this.ask(caller, request, reply, { connection, method: request.method, target });
  }

  private async ask(
    caller: Principal,
    request: FastifyRequest,
    reply: FastifyReply,
    asked: Pick<HeldRequest, 'connection' | 'method' | 'target'>,
  ): Promise<void> {
    refuseRepeated(request);
    const requestId = single(request, 'x-request-id');
    const answer = await this.door.ask(caller, {
      ...{ ...asked, token: tokenOf(request) },
      ...(requestId === undefined ? {} : { requestId }),
    });
    tell(reply, answer);
    if (!answer.decision) throw denied(answer);
  }
}

/** Returns the bearer token of the agent (RFC 6750 §2.1). Throws `unauthenticated` when there is none. */
function tokenOf(request: FastifyRequest): string {
  const token = /^Bearer ([^\s]{1,8192})$/i.exec(single(request, 'authorization') ?? '')?.[1];
  if (token !== undefined) return token;
  throw new Problem('unauthenticated', 'the request has no bearer token; send the task token, or an access token');
}

/** Throws `invalid_request` when a header that is read here comes twice. Node keeps the first of some and joins others. */
function refuseRepeated({ raw }: FastifyRequest): void {
  const names = raw.rawHeaders.filter((_, place) => place % 2 === 0).map((name) => name.toLowerCase());
  const repeated = names.filter((name) => SINGLE.has(name));
  if (new Set(repeated).size !== repeated.length)
    throw new Problem('invalid_request', 'a header of the request comes twice; send each once');
}

function single({ headers }: FastifyRequest, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' ? value : undefined;
}

/** Tells the decision in headers: nginx passes nothing else on. */
function tell(reply: FastifyReply, { decisionId, control, uses, retryAfterSeconds }: OperationAnswer): void {
  void reply.header('x-mayfly-decision', decisionId);
  if (control !== undefined) void reply.header('x-mayfly-control', control);
  if (uses !== undefined) void reply.header('x-mayfly-uses-left', String(uses.left));
  if (retryAfterSeconds !== undefined) void reply.header('retry-after', String(retryAfterSeconds));
}

/** 403 for every denial, exhausted uses too: nginx passes on no other one. */
function denied({ control, detail }: OperationAnswer): Problem {
  return new Problem('policy_denied', detail ?? 'the token permits nothing here; ask for a new task', {
    ...(control === undefined ? {} : { control }),
  });
}
