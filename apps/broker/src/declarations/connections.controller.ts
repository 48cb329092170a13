import { ConnectionLifecycle, Declarations, declarerOf } from '@mayfly/declarations';
import {
  ApiIfMatch,
  ApiIfMatchOrNew,
  ApiProblems,
  Caller,
  isCreation,
  mustMatch,
  mustMatchOrBeNew,
  type PageQuery,
  PageQuerySchema,
  Permits,
} from '@mayfly/http';
import type { Principal } from '@mayfly/identity';
import { type Json, type JsonObject, NameSchema } from '@mayfly/kernel';
import { Body, Controller, Delete, Get, Headers, HttpCode, Param, Post, Put, Query, Res } from '@nestjs/common';
import {
  ApiBearerAuth,
  ApiCreatedResponse,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiOperation,
  ApiTags,
} from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ConnectionTestSchema } from './connection-test.schema.js';
import {
  ApiDocument,
  declaredPage,
  declaredPosition,
  RecordPageSchema,
  RecordViewSchema,
  sendDeclared,
} from './declared.view.js';

@ApiTags('connections')
@ApiBearerAuth()
@ApiProblems()
@Controller('connections')
export class ConnectionsController {
  constructor(
    private readonly declarations: Declarations,
    private readonly lifecycle: ConnectionLifecycle,
  ) {}

  @Get()
  @Permits(['platform', 'operator', 'auditor'])
  @ApiOperation({ summary: 'List connections, sorted by name' })
  @ApiOkResponse({ standardSchema: RecordPageSchema })
  async list(@Query({ schema: PageQuerySchema }) page: PageQuery): Promise<JsonObject> {
    return declaredPage(await this.declarations.list('Connection', declaredPosition(page)));
  }

  @Get(':name')
  @Permits(['platform', 'operator', 'auditor'])
  @ApiOperation({ summary: 'Read a connection; it shows secrets as references' })
  @ApiOkResponse({ standardSchema: RecordViewSchema })
  async view(
    @Param('name', { schema: NameSchema }) name: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<JsonObject> {
    return sendDeclared(reply, await this.declarations.find('Connection', name));
  }

  @Post()
  @Permits(['platform'])
  @ApiOperation({ summary: 'Declare a connection' })
  @ApiDocument('Connection')
  @ApiCreatedResponse({ standardSchema: RecordViewSchema })
  async create(
    @Caller() caller: Principal,
    @Body() body: Json,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<JsonObject> {
    const record = await this.declarations.create('Connection', body, declarerOf(caller));
    reply.header('location', `/connections/${record.name}`);
    return sendDeclared(reply, record);
  }

  @Put(':name')
  @Permits(['platform'])
  @ApiOperation({ summary: 'Replace a connection, or create it with `If-None-Match: *`' })
  @ApiIfMatchOrNew()
  @ApiDocument('Connection')
  @ApiOkResponse({ standardSchema: RecordViewSchema })
  @ApiCreatedResponse({ standardSchema: RecordViewSchema })
  async replace(
    @Caller() caller: Principal,
    @Param('name', { schema: NameSchema }) name: string,
    @Body() body: Json,
    @Headers() headers: FastifyRequest['headers'],
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<JsonObject> {
    const precondition = mustMatchOrBeNew(headers);
    const record = await this.declarations.put('Connection', name, body, precondition, declarerOf(caller));
    if (isCreation(headers)) reply.code(201);
    return sendDeclared(reply, record);
  }

  @Post(':name/test')
  @HttpCode(200)
  @Permits(['platform', 'operator'])
  @ApiOperation({
    summary: 'Test a connection with the least harm: reports missing rights and the clock difference',
  })
  @ApiOkResponse({ standardSchema: ConnectionTestSchema })
  async test(@Caller() caller: Principal, @Param('name', { schema: NameSchema }) name: string): Promise<JsonObject> {
    const { ok, checks, ...measured } = await this.lifecycle.test(name, declarerOf(caller));
    return { connection: name, ok, checks: checks.map((check) => ({ ...check })), ...measured };
  }

  @Post(':name/disable')
  @HttpCode(200)
  @Permits(['platform', 'operator'])
  @ApiOperation({ summary: 'Disable a connection: it mints and renews nothing; revocations continue' })
  @ApiOkResponse({ standardSchema: RecordViewSchema })
  async disable(
    @Caller() caller: Principal,
    @Param('name', { schema: NameSchema }) name: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<JsonObject> {
    return sendDeclared(reply, await this.lifecycle.move(name, 'disabled', declarerOf(caller)));
  }

  @Post(':name/enable')
  @HttpCode(200)
  @Permits(['platform', 'operator'])
  @ApiOperation({ summary: 'Enable a disabled connection' })
  @ApiOkResponse({ standardSchema: RecordViewSchema })
  async enable(
    @Caller() caller: Principal,
    @Param('name', { schema: NameSchema }) name: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<JsonObject> {
    return sendDeclared(reply, await this.lifecycle.move(name, 'enabled', declarerOf(caller)));
  }

  @Delete(':name')
  @HttpCode(204)
  @Permits(['platform'])
  @ApiOperation({ summary: 'Delete a connection; refused while templates or live leases use it' })
  @ApiNoContentResponse({ description: 'the connection is deleted' })
  @ApiIfMatch()
  remove(
    @Caller() caller: Principal,
    @Param('name', { schema: NameSchema }) name: string,
    @Headers() headers: FastifyRequest['headers'],
  ): Promise<void> {
    return this.declarations.remove('Connection', name, mustMatch(headers), declarerOf(caller));
  }
}
