import { declarerOf, Declarations, IssuerTests } from '@mayfly/declarations';
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
import { Body, Controller, Delete, Get, Headers, HttpCode, Post, Put, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { declaredRoutes, Name } from './declared-routes.js';
import {
  type AnsweredRecord,
  declaredPage,
  RECORD_FORM,
  RecordPageSchema,
  RecordViewSchema,
  type ShownRecord,
} from './declared.view.js';
import { IssuerTestSchema, type TestIssuer, TestIssuerSchema } from './issuer-test.schema.js';

const issuerRoutes = declaredRoutes({
  ...{ kind: 'Issuer', path: 'issuers', form: RECORD_FORM },
  ...{ view: RecordViewSchema, page: RecordPageSchema },
});

/** Issuers: their documents and their tests, for platform teams. */
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
  @issuerRoutes.list('List issuers, sorted by name')
  list(@Query({ schema: PageQuerySchema }) query: PageQuery): Promise<JsonObject> {
    return declaredPage(query, (page) => this.declarations.list('Issuer', page));
  }

  @Get(':name')
  @Permits(['platform', 'operator', 'auditor'])
  @issuerRoutes.read('Read an issuer of identity tokens')
  async view(@Name() name: string): Promise<ShownRecord> {
    const contradiction = this.tests.contradictionOf(name);
    return { ...(await this.declarations.find('Issuer', name)), contradiction };
  }

  @Post()
  @Permits(['platform'])
  @issuerRoutes.create('Declare an issuer of identity tokens')
  create(@Caller() caller: Principal, @Body() body: Json): Promise<AnsweredRecord> {
    return this.refusals.watching(caller, 'POST /issuers', () =>
      this.declarations.create('Issuer', body, declarerOf(caller)),
    );
  }

  @Put(':name')
  @Permits(['platform'])
  @issuerRoutes.put('Replace an issuer, or create it with `If-None-Match: *`')
  replace(
    @Caller() caller: Principal,
    @Name() name: string,
    @Body() body: Json,
    @Headers() headers: RequestHeaders,
  ): Promise<AnsweredRecord> {
    const precondition = mustMatchOrBeNew(headers);
    return this.refusals.watching(caller, 'PUT /issuers/:name', () =>
      this.declarations.put('Issuer', name, body, precondition, declarerOf(caller)),
    );
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
    @Name() name: string,
    @Body({ schema: TestIssuerSchema.default({}) }) { token }: TestIssuer,
  ): Promise<JsonObject> {
    const { ok, checks } = await this.tests.test(name, token, declarerOf(caller));
    return { issuer: name, ok, checks: checks.map((check) => ({ ...check })) };
  }

  @Delete(':name')
  @Permits(['platform'])
  @issuerRoutes.remove('Delete an issuer; refused while agents are bound to it', 'the issuer is deleted')
  remove(@Caller() caller: Principal, @Name() name: string, @Headers() headers: RequestHeaders): Promise<void> {
    const precondition = mustMatch(headers);
    return this.refusals.watching(caller, 'DELETE /issuers/:name', () =>
      this.declarations.remove('Issuer', name, precondition, declarerOf(caller)),
    );
  }
}
