import { type DeclaredRecord, declarerOf, Declarations } from '@mayfly/declarations';
import {
  ApiProblems,
  Caller,
  mustMatch,
  mustMatchOrBeNew,
  type PageQuery,
  PageQuerySchema,
  Permits,
  RefusalRecorder,
  type RequestHeaders,
} from '@mayfly/http';
import type { Principal } from '@mayfly/identity';
import type { Json, JsonObject } from '@mayfly/kernel';
import { Body, Controller, Delete, Get, Headers, Post, Put, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { declaredRoutes, Name } from './declared-routes.js';
import { type AnsweredRecord, declaredPage, RECORD_FORM, RecordPageSchema, RecordViewSchema } from './declared.view.js';
import { policySchemaView, PolicySchemaViewSchema } from './policy-schema.view.js';

const policyRoutes = declaredRoutes({
  ...{ kind: 'Policy', path: 'policies', form: RECORD_FORM },
  ...{ view: RecordViewSchema, page: RecordPageSchema },
});

/** Policies in the language Cedar: their documents, and the schema that they are written against. */
@ApiTags('policies')
@ApiBearerAuth()
@ApiProblems()
@Controller('policies')
export class PoliciesController {
  constructor(
    private readonly declarations: Declarations,
    private readonly refusals: RefusalRecorder,
  ) {}

  @Get()
  @Permits(['platform', 'operator', 'auditor'])
  @policyRoutes.list('List policies, sorted by name')
  list(@Query({ schema: PageQuerySchema }) query: PageQuery): Promise<JsonObject> {
    return declaredPage(query, (page) => this.declarations.list('Policy', page));
  }

  @Get('schema')
  @Permits(['platform', 'operator', 'auditor'])
  @ApiOperation({ summary: 'Read what policies may name: the schema in the language Cedar, and the annotations' })
  @ApiOkResponse({ standardSchema: PolicySchemaViewSchema })
  schema(): JsonObject {
    return policySchemaView();
  }

  @Get(':name')
  @Permits(['platform', 'operator', 'auditor'])
  @policyRoutes.read('Read a document of policies')
  view(@Name() name: string): Promise<DeclaredRecord> {
    return this.declarations.find('Policy', name);
  }

  @Post()
  @Permits(['platform'])
  @policyRoutes.create('Declare policies; they are in force at once')
  create(@Caller() caller: Principal, @Body() body: Json): Promise<AnsweredRecord> {
    return this.refusals.watching(caller, 'POST /policies', () =>
      this.declarations.create('Policy', body, declarerOf(caller)),
    );
  }

  @Put(':name')
  @Permits(['platform'])
  @policyRoutes.put('Replace policies, or create them with `If-None-Match: *`; they are in force at once')
  replace(
    @Caller() caller: Principal,
    @Name() name: string,
    @Body() body: Json,
    @Headers() headers: RequestHeaders,
  ): Promise<AnsweredRecord> {
    const precondition = mustMatchOrBeNew(headers);
    return this.refusals.watching(caller, 'PUT /policies/:name', () =>
      this.declarations.put('Policy', name, body, precondition, declarerOf(caller)),
    );
  }

  @Delete(':name')
  @Permits(['platform'])
  @policyRoutes.remove('Delete policies: what they forbid is forbidden no longer', 'the policies are deleted')
  remove(@Caller() caller: Principal, @Name() name: string, @Headers() headers: RequestHeaders): Promise<void> {
    const precondition = mustMatch(headers);
    return this.refusals.watching(caller, 'DELETE /policies/:name', () =>
      this.declarations.remove('Policy', name, precondition, declarerOf(caller)),
    );
  }
}
