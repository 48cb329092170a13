import { readFileSync } from 'node:fs';
import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject, type SwaggerDocumentOptions } from '@nestjs/swagger';
import { z } from 'zod';
import { projectFile } from '@mayfly/service';
import { finish } from './openapi-finish.js';
import { schemaOf } from './openapi-schema.js';

const DESCRIPTION = `Credentials that live exactly as long as the task.

Callers prove who they are with a bearer token of an issuer that Mayfly trusts: agents with their workload identity,
people with a token that says their roles. Errors are problem documents (RFC 9457), but for the OAuth endpoints, which
keep the form of RFC 6749. A list answers \`{items, nextCursor}\`; the cursor goes with the filters of its page.`;

/** The OpenAPI 3.1 document of the API, generated from the routes on first use. */
export class OpenApi {
  private app: INestApplication | undefined;
  private document: OpenAPIObject | undefined;

  /** Sets the application whose routes the document describes. */
  describe(app: INestApplication): void {
    this.app = app;
  }

  /** Returns the document. It never changes within a process. */
  read(): OpenAPIObject {
    this.document ??= this.build();
    return this.document;
  }

  private build(): OpenAPIObject {
    if (this.app === undefined) throw new TypeError('there is no application to describe');
    const config = new DocumentBuilder()
      .setOpenAPIVersion('3.1.0')
      .setTitle('Mayfly')
      .setDescription(DESCRIPTION)
      .setVersion(versionOfProject())
      .setLicense('Apache-2.0', 'https://www.apache.org/licenses/LICENSE-2.0')
      .addServer('/')
      .addBearerAuth({ type: 'http', scheme: 'bearer', bearerFormat: 'JWT' })
      .addApiKey({ type: 'apiKey', in: 'header', name: 'x-mayfly-gateway' }, 'gateway')
      .build();
    return finish(SwaggerModule.createDocument(this.app, config, OPTIONS));
  }
}

const OPTIONS: SwaggerDocumentOptions = {
  operationIdFactory: (controller, method) => `${controller.replace(/Controller$/, '')}.${method}`,
  standardSchemaConverter: (schema, { schemaType }) =>
    schema instanceof z.ZodType ? { ...schemaOf(schema, schemaType) } : undefined,
};

function versionOfProject(): string {
  return (JSON.parse(readFileSync(projectFile('package.json'), 'utf8')) as { version: string }).version;
}
