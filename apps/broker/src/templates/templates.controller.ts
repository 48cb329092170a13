import { declarerOf, type StandingTemplate, Templates } from '@mayfly/declarations';
import {
  answerPage,
  ApiIfMatch,
  ApiProblems,
  Caller,
  mustMatch,
  type PageQuery,
  PageQuerySchema,
  Permits,
  RefusalRecorder,
  type RequestHeaders,
} from '@mayfly/http';
import type { Principal } from '@mayfly/identity';
import type { Json, JsonObject } from '@mayfly/kernel';
import { Body, Controller, Get, Headers, HttpCode, Post, Put, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { declaredRoutes, Name } from '../declarations/declared-routes.js';
import { ApiDocument } from '../declarations/declared.view.js';
import {
  FindingsSchema,
  findingsView,
  type ShownTemplate,
  TEMPLATE_FORM,
  TemplatePageSchema,
  templateView,
  TemplateViewSchema,
} from './template.view.js';

const templateRoutes = declaredRoutes({
  ...{ kind: 'TaskTemplate', path: 'templates', form: TEMPLATE_FORM },
  ...{ view: TemplateViewSchema, page: TemplatePageSchema },
});

/** Task templates: their drafts, their publication and their retirement. */
@ApiTags('templates')
@ApiBearerAuth()
@ApiProblems()
@Controller('templates')
export class TemplatesController {
  constructor(
    private readonly templates: Templates,
    private readonly refusals: RefusalRecorder,
  ) {}

  @Get()
  @Permits(['platform', 'operator', 'auditor', 'approver'])
  @templateRoutes.list('List templates, sorted by name')
  list(@Query({ schema: PageQuerySchema }) query: PageQuery): Promise<JsonObject> {
    return answerPage(query, { position: z.string(), view: templateView }, (page) => this.templates.list(page));
  }

  @Get(':name')
  @Permits(['platform', 'operator', 'auditor', 'approver'])
  @templateRoutes.read('Read a template and its current version')
  view(@Name() name: string): Promise<StandingTemplate> {
    return this.templates.find(name);
  }

  @Post()
  @Permits(['platform'])
  @templateRoutes.create('Create a template with its first draft')
  create(@Caller() caller: Principal, @Body() body: Json): Promise<StandingTemplate> {
    return this.refusals.watching(caller, 'POST /templates', () => this.templates.create(body, declarerOf(caller)));
  }

  @Post('lint')
  @HttpCode(200)
  @Permits(['platform'])
  @ApiOperation({ summary: 'Lint a template; nothing is saved' })
  @ApiDocument('TaskTemplate')
  @ApiOkResponse({ standardSchema: FindingsSchema })
  async lint(@Body() body: Json): Promise<JsonObject> {
    return { findings: findingsView(await this.templates.lint(body)) };
  }

  @Put(':name')
  @Permits(['platform'])
  @templateRoutes.edit('Replace the draft, or start one; the current version stays in force')
  replaceDraft(
    @Caller() caller: Principal,
    @Name() name: string,
    @Body() body: Json,
    @Headers() headers: RequestHeaders,
  ): Promise<StandingTemplate> {
    const precondition = mustMatch(headers);
    return this.refusals.watching(caller, 'PUT /templates/:name', () =>
      this.templates.replaceDraft(name, body, precondition, declarerOf(caller)),
    );
  }

  @Post(':name/publish')
  @Permits(['platform'])
  @templateRoutes.step('Publish the draft as the next version; its editors may not publish it')
  @ApiIfMatch()
  publish(
    @Caller() caller: Principal,
    @Name() name: string,
    @Headers() headers: RequestHeaders,
  ): Promise<ShownTemplate> {
    const precondition = mustMatch(headers);
    return this.refusals.watching(caller, 'POST /templates/:name/publish', () =>
      this.templates.publish(name, precondition, declarerOf(caller)),
    );
  }

  @Post(':name/retire')
  @Permits(['platform'])
  @templateRoutes.step('Retire a template permanently: no new tasks; running tasks keep their credentials')
  retire(@Caller() caller: Principal, @Name() name: string): Promise<StandingTemplate> {
    return this.refusals.watching(caller, 'POST /templates/:name/retire', () =>
      this.templates.retire(name, declarerOf(caller)),
    );
  }
}
