import { Templates } from '@mayfly/declarations';
import { answerPage, AnswersRevised, ApiProblems, type PageQuery, PageQuerySchema, Permits } from '@mayfly/http';
import type { JsonObject } from '@mayfly/kernel';
import { Controller, Get, Param, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { Name } from '../declarations/declared-routes.js';
import {
  type DiffQuery,
  DiffQuerySchema,
  DiffViewSchema,
  DRAFT_FORM,
  DraftViewSchema,
  type ShownDraft,
  VersionNumberSchema,
  VersionPageSchema,
  versionView,
  VersionViewSchema,
} from './template.view.js';

/** The draft and the published versions of one template, and their differences. */
@ApiTags('templates')
@ApiBearerAuth()
@ApiProblems()
@Controller('templates/:name')
export class TemplateVersionsController {
  constructor(private readonly templates: Templates) {}

  @Get('draft')
  @Permits(['platform', 'operator', 'auditor', 'approver'])
  @ApiOperation({ summary: 'Read the unpublished draft' })
  @ApiOkResponse({ standardSchema: DraftViewSchema })
  @AnswersRevised(DRAFT_FORM)
  async draft(@Name() name: string): Promise<ShownDraft> {
    return { name, ...(await this.templates.draft(name)) };
  }

  @Get('versions')
  @Permits(['platform', 'operator', 'auditor', 'approver'])
  @ApiOperation({ summary: 'List published versions, newest first' })
  @ApiOkResponse({ standardSchema: VersionPageSchema })
  versions(@Name() name: string, @Query({ schema: PageQuerySchema }) query: PageQuery): Promise<JsonObject> {
    return answerPage(query, { position: z.int(), view: versionView }, (page) => this.templates.versions(name, page));
  }

  @Get('versions/:version')
  @Permits(['platform', 'operator', 'auditor', 'approver'])
  @ApiOperation({ summary: 'Read a published version; it never changes' })
  @ApiOkResponse({ standardSchema: VersionViewSchema })
  async version(
    @Name() name: string,
    @Param('version', { schema: VersionNumberSchema }) version: number,
  ): Promise<JsonObject> {
    return versionView(await this.templates.version(name, version));
  }

  @Get('diff')
  @Permits(['platform', 'operator', 'auditor', 'approver'])
  @ApiOperation({ summary: 'Compare two versions, or a version with the draft' })
  @ApiOkResponse({ standardSchema: DiffViewSchema })
  async diff(@Name() name: string, @Query({ schema: DiffQuerySchema }) { from, to }: DiffQuery): Promise<JsonObject> {
    const differences = await this.templates.diff(name, from, to);
    return { from, to, differences: differences.map((difference) => ({ ...difference })) };
  }
}
