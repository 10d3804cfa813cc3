import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { cacheFolder } from '@stockbroker/testkit/processes';
import { build } from 'esbuild';

const root = join(import.meta.dirname, '..');
const APPS = ['gateway', 'worker', 'callback', 'exchange'];
/** Of the test runs and tools of this checkout. */
const DAY_MS = 86_400_000;

interface BundledFile {
  /** `<app>.mjs`, or its source map. */
  name: string;
  contents: Uint8Array;
}

/** One app as one file, which plain Node 24 runs without node_modules. The file itself comes first, its source map second. */
export async function bundleApp(app: string): Promise<BundledFile[]> {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: [`apps/${app}/src/main.ts`],
    outfile: `${app}.mjs`,
    write: false,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    sourcemap: 'linked',
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
  const files = outputFiles.map(({ path, contents }) => ({ name: basename(path), contents }));
  return files.sort((a, b) => a.name.length - b.name.length);
}

/**
 * All apps, in a folder that is named after what is in it, so that Node finds what it has compiled before. Several processes may
 * ask at the same time.
 *
 * @returns the folder with <app>.mjs of each
 */
export async function bundleApps(): Promise<string> {
  const files = (await Promise.all(APPS.map(bundleApp))).flat();
  const hash = createHash('sha256');
  for (const { contents } of files) hash.update(contents);
  const name = hash.digest('hex').slice(0, 16);
  const folder = cacheFolder('bundles', name);
  const target = join(folder, name);
  if (existsSync(target)) {
    utimesSync(target, new Date(), new Date());
    return target;
  }
  removeOld(folder);
  const unfinished = `${target}.${process.pid}`;
  mkdirSync(unfinished, { recursive: true });
  for (const { name, contents } of files) writeFileSync(join(unfinished, name), contents);
  try {
    renameSync(unfinished, target);
  } catch (error) {
    rmSync(unfinished, { recursive: true, force: true });
    // Another process was quicker, with the same in it.
    if (!existsSync(target)) throw error;
  }
  return target;
}

/** Another run may still start processes from those of today. */
function removeOld(folder: string): void {
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    const old = join(folder, name);
    if (Date.now() - statSync(old).mtimeMs > DAY_MS) rmSync(old, { recursive: true, force: true });
  }
}
