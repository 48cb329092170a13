import { AgentLifecycle, Declarations, declarerOf } from '@mayfly/declarations';
import {
  ApiIfMatchOrNew,
  ApiProblems,
  Caller,
  isCreation,
  mustMatchOrBeNew,
  type PageQuery,
  PageQuerySchema,
  Permits,
} from '@mayfly/http';
import type { Principal } from '@mayfly/identity';
import { type Json, type JsonObject, NameSchema } from '@mayfly/kernel';
import { Body, Controller, Get, Headers, HttpCode, Param, Post, Put, Query, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiCreatedResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  AgentPageSchema,
  AgentViewSchema,
  ApiDocument,
  declaredPage,
  declaredPosition,
  sendDeclared,
} from './declared.view.js';

@ApiTags('agents')
@ApiBearerAuth()
@ApiProblems()
@Controller('agents')
export class AgentsController {
  constructor(
    private readonly declarations: Declarations,
    private readonly lifecycle: AgentLifecycle,
  ) {}

  @Get()
  @Permits(['platform', 'operator', 'auditor'])
  @ApiOperation({ summary: 'List agents, sorted by name' })
  @ApiOkResponse({ standardSchema: AgentPageSchema })
  async list(@Query({ schema: PageQuerySchema }) page: PageQuery): Promise<JsonObject> {
    return declaredPage(await this.declarations.list('Agent', declaredPosition(page)));
  }

  @Get(':name')
  @Permits(['platform', 'operator', 'auditor'])
  @ApiOperation({ summary: 'Read an agent with its identities and state' })
  @ApiOkResponse({ standardSchema: AgentViewSchema })
  async view(
    @Param('name', { schema: NameSchema }) name: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<JsonObject> {
    return sendDeclared(reply, await this.declarations.find('Agent', name));
  }

  @Post()
  @Permits(['platform'])
  @ApiOperation({ summary: 'Register an agent; it gets no task before it is activated' })
  @ApiDocument('Agent')
  @ApiCreatedResponse({ standardSchema: AgentViewSchema })
  async create(
    @Caller() caller: Principal,
    @Body() body: Json,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<JsonObject> {
    const record = await this.declarations.create('Agent', body, declarerOf(caller));
    reply.header('location', `/agents/${record.name}`);
    return sendDeclared(reply, record);
  }

  @Put(':name')
  @Permits(['platform'])
  @ApiOperation({ summary: 'Replace an agent, or create it with `If-None-Match: *`' })
  @ApiIfMatchOrNew()
  @ApiDocument('Agent')
  @ApiOkResponse({ standardSchema: AgentViewSchema })
  @ApiCreatedResponse({ standardSchema: AgentViewSchema })
  async replace(
    @Caller() caller: Principal,
    @Param('name', { schema: NameSchema }) name: string,
    @Body() body: Json,
    @Headers() headers: FastifyRequest['headers'],
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<JsonObject> {
    const precondition = mustMatchOrBeNew(headers);
    const record = await this.declarations.put('Agent', name, body, precondition, declarerOf(caller));
    if (isCreation(headers)) reply.code(201);
    return sendDeclared(reply, record);
  }

  @Post(':name/activate')
  @HttpCode(200)
  @Permits(['platform', 'operator'])
  @ApiOperation({ summary: 'Activate a registered or suspended agent' })
  @ApiOkResponse({ standardSchema: AgentViewSchema })
  async activate(
    @Caller() caller: Principal,
    @Param('name', { schema: NameSchema }) name: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<JsonObject> {
    return sendDeclared(reply, await this.lifecycle.take('activate', name, declarerOf(caller)));
  }

  @Post(':name/suspend')
  @HttpCode(200)
  @Permits(['platform', 'operator'])
  @ApiOperation({ summary: 'Suspend an agent: ends its tasks and revokes its credentials' })
  @ApiOkResponse({ standardSchema: AgentViewSchema })
  async suspend(
    @Caller() caller: Principal,
    @Param('name', { schema: NameSchema }) name: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<JsonObject> {
    return sendDeclared(reply, await this.lifecycle.take('suspend', name, declarerOf(caller)));
  }

  @Post(':name/retire')
  @HttpCode(200)
  @Permits(['platform', 'operator'])
  @ApiOperation({ summary: 'Retire an agent permanently: ends its tasks; its name stays taken' })
  @ApiOkResponse({ standardSchema: AgentViewSchema })
  async retire(
    @Caller() caller: Principal,
    @Param('name', { schema: NameSchema }) name: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<JsonObject> {
    return sendDeclared(reply, await this.lifecycle.take('retire', name, declarerOf(caller)));
  }
}
