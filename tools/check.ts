import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { guardOutput } from './cli.ts';

/** `npm run check`: everything about the code that can be checked without running it. Says which step failed, and what mends it. */
const root = `${join(import.meta.dirname, '..')}/`;
const GENERATED = ['libs/rpc/src/generated/**/*.ts', 'libs/store/src/generated/**/*.ts', 'docs/configuration.md'];
/** The API as it was last released; `npm run check -- --release-api` after a release that may break clients no more. */
const RELEASED_API = 'proto/released.binpb';

interface Step {
  name: string;
  run: () => boolean;
  mend: string;
}

const steps: Step[] = [
  {
    name: 'format and lint',
    run: () => tool('biome', 'ci', '--diagnostic-level=warn', '.'),
    mend: 'npm run format, then mend what is left',
  },
  { name: 'types', run: () => tool('tsc') && tool('tsc', '-p', 'apps/web'), mend: 'mend the types' },
  {
    name: 'proto lint',
    run: () => tool('buf', 'lint'),
    mend: 'mend the protos; exceptions belong into buf.yaml with their reason',
  },
  {
    name: 'proto format',
    run: () => tool('buf', 'format', '--diff', '--exit-code', '--path', 'proto/stockbroker', '--path', 'proto/exchange'),
    mend: 'npx buf format -w',
  },
  {
    name: 'proto breaks no client',
    run: () => tool('buf', 'breaking', '--against', RELEASED_API),
    mend: 'add, do not change: or release the API anew',
  },
  {
    name: 'generated code is up to date',
    run: generatedIsCurrent,
    mend: 'npm run gen has just been run: commit what it changed',
  },
  { name: 'nothing unused', run: () => tool('knip', '--no-progress', '--no-config-hints'), mend: 'delete it' },
];

guardOutput();
if (process.argv.includes('--help')) {
  process.stdout.write(
    `npm run check: ${steps.map((step) => step.name).join(', ')}.\n  --release-api  records today's protos as the released API, which later changes must not break\n`,
  );
} else if (process.argv.includes('--release-api')) {
  process.exitCode = tool('buf', 'build', '--exclude-source-info', '-o', RELEASED_API) ? 0 : 1;
} else {
  process.exitCode = runAll() ? 0 : 1;
}

function runAll(): boolean {
  let failed = 0;
  for (const { name, run, mend } of steps) {
    const started = performance.now();
    const passed = run();
    process.stdout.write(`${passed ? '✓' : '✗'} ${name} (${((performance.now() - started) / 1000).toFixed(1)} s)\n`);
    if (!passed) process.stdout.write(`  to mend it: ${mend}\n`);
    failed += passed ? 0 : 1;
  }
  process.stdout.write(failed === 0 ? 'All checks passed.\n' : `${failed} of ${steps.length} checks failed.\n`);
  return failed === 0;
}

function tool(name: string, ...args: string[]): boolean {
  const path = join(root, 'node_modules', '.bin', name);
  if (!existsSync(path)) throw new Error(`${name} is not installed: run npm ci`);
  return spawnSync(path, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] }).status === 0;
}

function generatedIsCurrent(): boolean {
  const before = hashGenerated();
  const generated = spawnSync(process.execPath, [join(root, 'tools/gen.ts')], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return generated.status === 0 && hashGenerated() === before;
}

function hashGenerated(): string {
  const hash = createHash('sha256');
  for (const file of globSync(GENERATED, { cwd: root }).sort())
    hash
      .update(file)
      .update('\0')
      .update(readFileSync(join(root, file)))
      .update('\0');
  return hash.digest('hex');
}
