import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { z } from 'zod';

/** The API reference page: Swagger UI over `/openapi.json`. It loads nothing from other hosts. */
export const PAGE = `<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Mayfly API</title>
    <link rel="stylesheet" href="docs/swagger-ui.css">
    <link rel="stylesheet" href="docs/page.css">
    <link rel="icon" href="docs/favicon-32x32.png">
  </head>
  <body>
    <div id="api"></div>
    <script src="docs/swagger-ui-bundle.js"></script>
    <script src="docs/page.js"></script>
  </body>
</html>
`;

const STYLE = `body { margin: 0; background: #fafafa; }
.swagger-ui .info { margin: 30px 0; }
`;

const SCRIPT = `window.ui = SwaggerUIBundle({
  url: 'openapi.json',
  dom_id: '#api',
  deepLinking: true,
  validatorUrl: null,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  persistAuthorization: false,
});
`;

/** Content security policy: only the page's own code and styles; it may call the API, and no site may frame it. */
export const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  // Swagger UI writes style attributes.
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** The files of the page. The route serves no others. */
export const PageFileSchema = z.enum([
  'swagger-ui.css',
  'swagger-ui-bundle.js',
  'favicon-32x32.png',
  'page.css',
  'page.js',
]);
export type PageFile = z.infer<typeof PageFileSchema>;

const TYPES = { css: 'text/css', js: 'text/javascript', png: 'image/png' } as const;

/** Reads a file of the page, with its media type. */
export async function readPageFile(name: PageFile): Promise<{ readonly type: string; readonly content: Buffer }> {
  const type = TYPES[name.slice(name.lastIndexOf('.') + 1) as keyof typeof TYPES];
  if (name === 'page.css') return { type, content: Buffer.from(STYLE) };
  if (name === 'page.js') return { type, content: Buffer.from(SCRIPT) };
  return { type, content: await readFile(join(swaggerUi(), name)) };
}

/** Returns the folder of Swagger UI, which is installed as a dependency of @nestjs/swagger. */
function swaggerUi(): string {
  const ofNest = createRequire(createRequire(import.meta.url).resolve('@nestjs/swagger'));
  return dirname(ofNest.resolve('swagger-ui-dist/package.json'));
}
