import { NameSchema, type JsonObject } from '@mayfly/kernel';
import { Controller, Get, Param, Query, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { ApiProblems } from '../http/api-problems.js';
import { PageQuerySchema, type PageQuery } from '../http/page.js';
import { sendEtag } from '../http/preconditions.js';
import { Permits } from '../security/permits.js';
import {
  DiffQuerySchema,
  DiffViewSchema,
  DraftViewSchema,
  VersionNumberSchema,
  VersionPageSchema,
  VersionViewSchema,
  type DiffQuery,
} from './template.view.js';
import { TemplatesService } from './templates.service.js';

@ApiTags('templates')
@ApiBearerAuth()
@ApiProblems()
@Controller('templates/:name')
export class TemplateVersionsController {
  constructor(private readonly templates: TemplatesService) {}

  @Get('draft')
  @Permits(['platform', 'operator', 'auditor', 'approver'])
  @ApiOperation({ summary: 'Read the unpublished draft' })
  @ApiOkResponse({ standardSchema: DraftViewSchema })
  async draft(
    @Param('name', { schema: NameSchema }) name: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<JsonObject> {
    const { revision, body } = await this.templates.draft(name);
    sendEtag(reply, revision);
    return body;
  }

  @Get('versions')
  @Permits(['platform', 'operator', 'auditor', 'approver'])
  @ApiOperation({ summary: 'List published versions, newest first' })
  @ApiOkResponse({ standardSchema: VersionPageSchema })
  versions(
    @Param('name', { schema: NameSchema }) name: string,
    @Query({ schema: PageQuerySchema }) page: PageQuery,
  ): Promise<JsonObject> {
    return this.templates.versions(name, page);
  }

  @Get('versions/:version')
  @Permits(['platform', 'operator', 'auditor', 'approver'])
  @ApiOperation({ summary: 'Read a published version; it never changes' })
  @ApiOkResponse({ standardSchema: VersionViewSchema })
  version(
    @Param('name', { schema: NameSchema }) name: string,
    @Param('version', { schema: VersionNumberSchema }) version: number,
  ): Promise<JsonObject> {
    return this.templates.version(name, version);
  }

  @Get('diff')
  @Permits(['platform', 'operator', 'auditor', 'approver'])
  @ApiOperation({ summary: 'Compare two versions, or a version with the draft' })
  @ApiOkResponse({ standardSchema: DiffViewSchema })
  diff(
    @Param('name', { schema: NameSchema }) name: string,
    @Query({ schema: DiffQuerySchema }) query: DiffQuery,
  ): Promise<JsonObject> {
    return this.templates.diff(name, query);
  }
}
