import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, globSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { cacheFolder, ownEnvironment } from '@stockbroker/testkit/processes';

const root = resolve(import.meta.dirname, '..');
/** What the page is made of. */
const sources = [
  'apps/web/{index.html,vite.config.ts,package.json}',
  'apps/web/{src,public}/**/*.*',
  'libs/{client,trading}/src/**/*.ts',
  'libs/rpc/src/{*.ts,generated/{google,stockbroker}/**/*.ts}',
  'package-lock.json',
];

/**
 * The trading page, built into a folder that is named after what it was built from: at once when that is there already, in about three
 * seconds when it is not. Several processes may ask at the same time.
 *
 * @returns the folder, for GATEWAY_WEB_ROOT
 */
export async function buildPage(onEvent: (line: string) => void = () => {}): Promise<string> {
  const name = sourcesHash();
  const folder = cacheFolder('page', name);
  const target = join(folder, name);
  if (existsSync(target)) return target;
  onEvent('building the trading page');
  const unfinished = `${target}.${process.pid}`;
  try {
    await runVite(unfinished);
    removeOthers(folder, target, unfinished);
    renameSync(unfinished, target);
  } catch (error) {
    rmSync(unfinished, { recursive: true, force: true });
    // Another process was quicker, with the same in it.
    if (!existsSync(target)) throw error;
  }
  return target;
}

function sourcesHash(): string {
  const hash = createHash('sha256');
  for (const file of globSync(sources, { cwd: root }).sort()) hash.update(`${file}\0`).update(readFileSync(join(root, file)));
  return hash.digest('hex').slice(0, 16);
}

function runVite(outDir: string): Promise<void> {
  const args = [join(root, 'node_modules', 'vite', 'bin', 'vite.js'), 'build', '--outDir', outDir, '--logLevel', 'warn'];
  // Its own way to read its configuration writes into node_modules, which may not be ours to write to.
  args.push('--configLoader', 'native');
  const vite = spawn(process.execPath, args, {
    cwd: join(root, 'apps', 'web'),
    env: ownEnvironment(),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [vite.stdout, vite.stderr])
    stream.on('data', (chunk: Buffer) => {
      output += String(chunk);
    });
  return new Promise((done, fail) => {
    vite.once('error', fail);
    vite.once('close', (code) =>
      code === 0 ? done() : fail(new Error(`the trading page could not be built:\n${output.slice(-2_000)}`)),
    );
  });
}

/** Gateways keep what they serve in memory: what was built earlier is of no use. */
function removeOthers(folder: string, ...kept: string[]): void {
  for (const name of readdirSync(folder)) {
    const other = join(folder, name);
    if (!kept.includes(other) && !name.includes('.')) rmSync(other, { recursive: true, force: true });
  }
}
