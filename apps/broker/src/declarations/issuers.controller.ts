import { NameSchema, type Json, type JsonObject } from '@mayfly/kernel';
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
import { ApiProblems } from '../http/api-problems.js';
import { PageQuerySchema, type PageQuery } from '../http/page.js';
import { ApiIfMatch, ApiIfMatchOrNew, isCreation, mustMatch, mustMatchOrBeNew } from '../http/preconditions.js';
import { Caller } from '../security/caller.js';
import { Permits } from '../security/permits.js';
import type { Principal } from '../security/principal.js';
import { DeclarationsService } from './declarations.service.js';
import { IssuerTestSchema, TestIssuerSchema, type TestIssuer } from './issuer-test.schema.js';
import { IssuersService } from './issuers.service.js';
import { ApiDocument, RecordPageSchema, RecordViewSchema, sendDeclared } from './declared.view.js';

@ApiTags('issuers')
@ApiBearerAuth()
@ApiProblems()
@Controller('issuers')
export class IssuersController {
  constructor(
    private readonly declarations: DeclarationsService,
    private readonly issuers: IssuersService,
  ) {}

  @Get()
  @Permits(['platform', 'operator', 'auditor'])
  @ApiOperation({ summary: 'List issuers, sorted by name' })
  @ApiOkResponse({ standardSchema: RecordPageSchema })
  list(@Query({ schema: PageQuerySchema }) page: PageQuery): Promise<JsonObject> {
    return this.declarations.list('Issuer', page);
  }

  @Get(':name')
  @Permits(['platform', 'operator', 'auditor'])
  @ApiOperation({ summary: 'Read an issuer of identity tokens' })
  @ApiOkResponse({ standardSchema: RecordViewSchema })
  async view(
    @Param('name', { schema: NameSchema }) name: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<JsonObject> {
    const contradiction = this.issuers.contradictionOf(name);
    const record = sendDeclared(reply, await this.declarations.find('Issuer', name));
    return contradiction === undefined ? record : { ...record, contradiction };
  }

  @Post()
  @Permits(['platform'])
  @ApiOperation({ summary: 'Declare an issuer of identity tokens' })
  @ApiDocument('Issuer')
  @ApiCreatedResponse({ standardSchema: RecordViewSchema })
  async create(
    @Caller() caller: Principal,
    @Body() body: Json,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<JsonObject> {
    const record = await this.declarations.create('Issuer', body, caller);
    reply.header('location', `/issuers/${record.name}`);
    return sendDeclared(reply, record);
  }

  @Put(':name')
  @Permits(['platform'])
  @ApiOperation({ summary: 'Replace an issuer, or create it with `If-None-Match: *`' })
  @ApiIfMatchOrNew()
  @ApiDocument('Issuer')
  @ApiOkResponse({ standardSchema: RecordViewSchema })
  @ApiCreatedResponse({ standardSchema: RecordViewSchema })
  async replace(
    @Caller() caller: Principal,
    @Param('name', { schema: NameSchema }) name: string,
    @Body() body: Json,
    @Headers() headers: FastifyRequest['headers'],
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<JsonObject> {
    const record = await this.declarations.put('Issuer', name, body, mustMatchOrBeNew(headers), caller);
    if (isCreation(headers)) reply.code(201);
    return sendDeclared(reply, record);
  }

  @Post(':name/test')
  @HttpCode(200)
  @Permits(['platform'])
  @ApiOperation({
    summary:
      'Test an issuer: fetch its keys now and check a token rule by rule; the token is not stored and gives no access',
  })
  @ApiOkResponse({ standardSchema: IssuerTestSchema })
  test(
    @Caller() caller: Principal,
    @Param('name', { schema: NameSchema }) name: string,
    @Body({ schema: TestIssuerSchema.default({}) }) { token }: TestIssuer,
  ): Promise<JsonObject> {
    return this.issuers.test(name, token, caller);
  }

  @Delete(':name')
  @HttpCode(204)
  @Permits(['platform'])
  @ApiOperation({ summary: 'Delete an issuer; refused while agents are bound to it' })
  @ApiNoContentResponse({ description: 'the issuer is deleted' })
  @ApiIfMatch()
  remove(
    @Caller() caller: Principal,
    @Param('name', { schema: NameSchema }) name: string,
    @Headers() headers: FastifyRequest['headers'],
  ): Promise<void> {
    return this.declarations.remove('Issuer', name, mustMatch(headers), caller);
  }
}
