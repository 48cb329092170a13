import { Declarations, declarerOf, IssuerTests } from '@mayfly/declarations';
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
  RefusalRecorder,
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
import {
  ApiDocument,
  declaredPage,
  declaredPosition,
  RecordPageSchema,
  RecordViewSchema,
  sendDeclared,
} from './declared.view.js';
import { IssuerTestSchema, type TestIssuer, TestIssuerSchema } from './issuer-test.schema.js';

@ApiTags('issuers')
@ApiBearerAuth()
@ApiProblems()
@Controller('issuers')
export class IssuersController {
  constructor(
    private readonly declarations: Declarations,
    private readonly tests: IssuerTests,
    private readonly refusals: RefusalRecorder,
  ) {}

  @Get()
  @Permits(['platform', 'operator', 'auditor'])
  @ApiOperation({ summary: 'List issuers, sorted by name' })
  @ApiOkResponse({ standardSchema: RecordPageSchema })
  async list(@Query({ schema: PageQuerySchema }) page: PageQuery): Promise<JsonObject> {
    return declaredPage(await this.declarations.list('Issuer', declaredPosition(page)));
  }

  @Get(':name')
  @Permits(['platform', 'operator', 'auditor'])
  @ApiOperation({ summary: 'Read an issuer of identity tokens' })
  @ApiOkResponse({ standardSchema: RecordViewSchema })
  async view(
    @Param('name', { schema: NameSchema }) name: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<JsonObject> {
    const contradiction = this.tests.contradictionOf(name);
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
    const record = await this.refusals.watching(caller, 'POST /issuers', () =>
      this.declarations.create('Issuer', body, declarerOf(caller)),
    );
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
    const precondition = mustMatchOrBeNew(headers);
    const record = await this.refusals.watching(caller, 'PUT /issuers/:name', () =>
      this.declarations.put('Issuer', name, body, precondition, declarerOf(caller)),
    );
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
  async test(
    @Caller() caller: Principal,
    @Param('name', { schema: NameSchema }) name: string,
    @Body({ schema: TestIssuerSchema.default({}) }) { token }: TestIssuer,
  ): Promise<JsonObject> {
    const { ok, checks } = await this.tests.test(name, token, declarerOf(caller));
    return { issuer: name, ok, checks: checks.map((check) => ({ ...check })) };
  }

  @Delete(':name')
  @HttpCode(204)
  @Permits(['platform'])
  @ApiOperation({ summary: 'Delete an issuer; refused while agents are bound to it' })
  @ApiNoContentResponse({ description: 'the issuer is deleted' })
  @ApiIfMatch()
  async remove(
    @Caller() caller: Principal,
    @Param('name', { schema: NameSchema }) name: string,
    @Headers() headers: FastifyRequest['headers'],
  ): Promise<void> {
    const precondition = mustMatch(headers);
    return this.refusals.watching(caller, 'DELETE /issuers/:name', () =>
      this.declarations.remove('Issuer', name, precondition, declarerOf(caller)),
    );
  }
}
