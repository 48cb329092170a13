// Writes docs/controls.md from the table of controls: `node tools/write-controls.mjs`.
import { writeFileSync } from 'node:fs';
import './run-typescript.mjs';

const { controlsPage } = await import('../libs/policy/src/controls-page.ts');
writeFileSync(new URL('../docs/controls.md', import.meta.url), controlsPage());
