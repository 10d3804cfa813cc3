import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundleApp } from './bundleApps.ts';

/** `npx nx run-many -t build`: an app as one file: `node dist/<app>.mjs`. */
const app = process.argv[2];
if (app === undefined) throw new Error('usage: node tools/build.ts <app>');
const folder = join(import.meta.dirname, '..', 'apps', app, 'dist');
const files = await bundleApp(app);
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder);
for (const { name, contents } of files) writeFileSync(join(folder, name), contents);
const bytes = files[0]?.contents.length ?? 0;
process.stdout.write(`${app}: dist/${app}.mjs, ${(bytes / 1024 / 1024).toFixed(1)} MB\n`);
