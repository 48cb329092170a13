import { Permits } from '@mayfly/http';
import { Controller, Get, Header, Param, Res } from '@nestjs/common';
import { ApiExcludeController, type OpenAPIObject } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { PAGE, PAGE_POLICY, type PageFile, PageFileSchema, readPageFile } from './openapi-page.js';
import { OpenApi } from './openapi.js';

/** Serves the OpenAPI document and its reference page. */
@ApiExcludeController()
@Controller()
export class OpenApiController {
  constructor(private readonly openApi: OpenApi) {}

  @Get('openapi.json')
  @Permits(['anyone'])
  document(): OpenAPIObject {
    return this.openApi.read();
  }

  @Get('docs')
  @Permits(['anyone'])
  @Header('content-type', 'text/html; charset=utf-8')
  @Header('content-security-policy', PAGE_POLICY)
  page(): string {
    return PAGE;
  }

  @Get('docs/:file')
  @Permits(['anyone'])
  @Header('cache-control', 'public, max-age=3600')
  async file(
    @Param('file', { schema: PageFileSchema }) name: PageFile,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Buffer> {
    const { type, content } = await readPageFile(name);
    reply.type(type);
    return content;
  }
}
