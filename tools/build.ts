import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';

/** `npx nx run-many -t build`: one app as one file, which plain Node 24 runs without node_modules: `node dist/<app>.mjs`. */
const root = `${join(import.meta.dirname, '..')}/`;
const app = process.argv[2];
if (app === undefined) throw new Error('usage: node tools/build.ts <app>');
const outdir = `${root}apps/${app}/dist`;

await rm(outdir, { recursive: true, force: true });
const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: [`apps/${app}/src/main.ts`],
  outfile: `${outdir}/${app}.mjs`,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node24',
  sourcemap: 'linked',
  metafile: true,
  // pg asks for its native bindings only when told to.
  external: ['pg-native'],
  // Bundled CommonJS packages expect what ECMAScript modules do not have.
  banner: {
    js: [
      "import { createRequire as __createRequire } from 'node:module';",
      "import { dirname as __dirnameOf } from 'node:path';",
      "import { fileURLToPath as __pathOf } from 'node:url';",
      'const require = __createRequire(import.meta.url);',
      'const __filename = __pathOf(import.meta.url);',
      'const __dirname = __dirnameOf(__filename);',
    ].join('\n'),
  },
});
const bytes = Object.values(metafile.outputs).reduce((most, output) => Math.max(most, output.entryPoint ? output.bytes : 0), 0);
process.stdout.write(`${app}: dist/${app}.mjs, ${(bytes / 1024 / 1024).toFixed(1)} MB\n`);
