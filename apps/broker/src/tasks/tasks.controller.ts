import { ApiProblems, Caller, CallingAgent, Permits } from '@mayfly/http';
import type { AgentPrincipal, Principal } from '@mayfly/identity';
import { Tasks } from '@mayfly/issuance';
import type { JsonObject, TaskId } from '@mayfly/kernel';
import { Body, Controller, Delete, Get, Headers, HttpCode, Param, Post, Query, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiCreatedResponse, ApiHeader, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import {
  type CreateTask,
  type CreateTaskQuery,
  CreateTaskQuerySchema,
  CreateTaskSchema,
  DryRunSchema,
  type FailTask,
  FailTaskSchema,
  type RenewTask,
  RenewTaskSchema,
  TaskIdSchema,
  TaskViewSchema,
} from './task.schemas.js';

/** Tasks: agents request, renew and end their own; operators and auditors read all, and operators revoke. */
@ApiTags('tasks')
@ApiBearerAuth()
@ApiProblems()
@Controller('tasks')
export class TasksController {
  constructor(private readonly tasks: Tasks) {}

  /** Runs through `create-task.route.ts`, without Nest's pipeline, because agents wait for this request most often. */
  @Post()
  @Permits(['agent'])
  @ApiOperation({ summary: 'Request a task and get its credentials, once' })
  @ApiHeader({
    name: 'Idempotency-Key',
    required: false,
    description: 'the same key with the same body returns the same task',
  })
  @ApiCreatedResponse({ standardSchema: TaskViewSchema })
  @ApiOkResponse({ standardSchema: DryRunSchema })
  async create(
    @CallingAgent() agent: AgentPrincipal,
    @Body({ schema: CreateTaskSchema }) request: CreateTask,
    @Query({ schema: CreateTaskQuerySchema }) { dryRun }: CreateTaskQuery,
    @Headers('idempotency-key') key: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<JsonObject> {
    void reply.header('cache-control', 'no-store');
    if (dryRun === 'true') {
      void reply.code(200);
      return this.tasks.dryRun(agent, request);
    }
    const task = await this.tasks.create(agent, request, key);
    void reply.header('location', `/tasks/${task.id as TaskId}`);
    return task;
  }

  @Get(':id')
  @Permits(['agent', 'operator', 'auditor'])
  @ApiOperation({ summary: 'Read a task and the state of its leases, without secrets' })
  @ApiOkResponse({ standardSchema: TaskViewSchema })
  view(@Caller() caller: Principal, @Param('id', { schema: TaskIdSchema }) id: TaskId): Promise<JsonObject> {
    return this.tasks.view(caller, id);
  }

  @Post(':id/complete')
  @HttpCode(200)
  @Permits(['agent'])
  @ApiOperation({ summary: 'Complete a task and revoke its credentials' })
  @ApiOkResponse({ standardSchema: TaskViewSchema })
  complete(
    @CallingAgent() agent: AgentPrincipal,
    @Param('id', { schema: TaskIdSchema }) id: TaskId,
  ): Promise<JsonObject> {
    return this.tasks.end(agent, id, 'completed');
  }

  @Post(':id/fail')
  @HttpCode(200)
  @Permits(['agent'])
  @ApiOperation({ summary: 'Fail a task with a reason and revoke its credentials' })
  @ApiOkResponse({ standardSchema: TaskViewSchema })
  fail(
    @CallingAgent() agent: AgentPrincipal,
    @Param('id', { schema: TaskIdSchema }) id: TaskId,
    @Body({ schema: FailTaskSchema }) { reason }: FailTask,
  ): Promise<JsonObject> {
    return this.tasks.end(agent, id, 'failed', reason);
  }

  @Post(':id/heartbeat')
  @HttpCode(200)
  @Permits(['agent'])
  @ApiOperation({ summary: 'Send a heartbeat' })
  @ApiOkResponse({ standardSchema: TaskViewSchema })
  heartbeat(
    @CallingAgent() agent: AgentPrincipal,
    @Param('id', { schema: TaskIdSchema }) id: TaskId,
  ): Promise<JsonObject> {
    return this.tasks.heartbeat(agent, id);
  }

  @Post(':id/renew')
  @HttpCode(200)
  @Permits(['agent'])
  @ApiOperation({ summary: 'Renew a task, within the longest life of its template' })
  @ApiOkResponse({ standardSchema: TaskViewSchema })
  renew(
    @CallingAgent() agent: AgentPrincipal,
    @Param('id', { schema: TaskIdSchema }) id: TaskId,
    @Body({ schema: RenewTaskSchema.default({}) }) { ttlSeconds }: RenewTask,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<JsonObject> {
    void reply.header('cache-control', 'no-store');
    return this.tasks.renew(agent, id, ttlSeconds);
  }

  @Delete(':id')
  @Permits(['operator'])
  @ApiOperation({ summary: 'Revoke a task and its credentials' })
  @ApiOkResponse({ standardSchema: TaskViewSchema })
  revoke(@Caller() caller: Principal, @Param('id', { schema: TaskIdSchema }) id: TaskId): Promise<JsonObject> {
    return this.tasks.end(caller, id, 'revoked');
  }
}
