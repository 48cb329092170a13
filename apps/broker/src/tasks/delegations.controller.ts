import { ApiProblems, Caller, CallingAgent, Permits } from '@mayfly/http';
import type { AgentPrincipal, Principal } from '@mayfly/identity';
import { Delegations } from '@mayfly/issuance';
import type { JsonObject, TaskId } from '@mayfly/kernel';
import { Body, Controller, Get, Headers, HttpCode, Param, Post, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiCreatedResponse, ApiHeader, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { type Delegate, DelegateSchema, DelegationSchema, TreeSchema } from './delegation.schemas.js';
import { TaskIdSchema, TaskViewSchema } from './task.schemas.js';

const KEY = {
  name: 'Idempotency-Key',
  required: false,
  description: 'the same key with the same request returns the same result',
};

/** Task trees: an agent hands a part of its task on, and the named agent takes it up. */
@ApiTags('tasks')
@ApiBearerAuth()
@ApiProblems()
@Controller('tasks')
export class DelegationsController {
  constructor(private readonly delegations: Delegations) {}

  @Post(':id/delegate')
  @HttpCode(201)
  @Permits(['agent'])
  @ApiOperation({
    summary: 'Hand a part of a task on to an agent, which takes it up with its own identity',
    description:
      'The version of the parent names the templates. The child is within the parent in credentials, lifetime and depth, and ends with it. Nothing is minted until it is taken up.',
  })
  @ApiHeader(KEY)
  @ApiCreatedResponse({ standardSchema: DelegationSchema })
  delegate(
    @CallingAgent() agent: AgentPrincipal,
    @Param('id', { schema: TaskIdSchema }) id: TaskId,
    @Body({ schema: DelegateSchema }) asked: Delegate,
    @Headers('idempotency-key') key: string | undefined,
  ): Promise<JsonObject> {
    return this.delegations.delegate(agent, id, asked, key);
  }

  @Post(':id/accept')
  @HttpCode(201)
  @Permits(['agent'])
  @ApiOperation({ summary: 'Take a delegation up and get its credentials, once' })
  @ApiHeader(KEY)
  @ApiCreatedResponse({ standardSchema: TaskViewSchema })
  async accept(
    @CallingAgent() agent: AgentPrincipal,
    @Param('id', { schema: TaskIdSchema }) id: TaskId,
    @Headers('idempotency-key') key: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<JsonObject> {
    void reply.header('cache-control', 'no-store').header('location', `/tasks/${id}`);
    return this.delegations.accept(agent, id, key);
  }

  @Get(':id/tree')
  @Permits(['agent', 'operator', 'auditor'])
  @ApiOperation({ summary: 'Read the whole tree that a task is in' })
  @ApiOkResponse({ standardSchema: TreeSchema })
  tree(@Caller() caller: Principal, @Param('id', { schema: TaskIdSchema }) id: TaskId): Promise<JsonObject> {
    return this.delegations.tree(caller, id);
  }
}
