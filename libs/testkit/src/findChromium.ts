import { execFile } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { basename, delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { reasonOf } from '@stockbroker/runtime';
import { ownEnvironment } from './ownEnvironment.ts';
import { unpackChromium } from './unpackChromium.ts';

export interface FindChromiumOptions {
  /** Where the unpacked one is kept. Default: .stockbroker/bin of this checkout, see cacheFolder. */
  cacheDir?: string;
  env?: NodeJS.ProcessEnv;
  log?: (line: string) => void;
}

export interface Chromium {
  program: string;
  /** What it needs in its environment. */
  env: Record<string, string>;
}

/** There is no usable Chromium on this machine. The message says how to have one. */
export class NoChromiumError extends Error {
  override readonly name = 'NoChromiumError';
  constructor(why: string, options?: ErrorOptions) {
    super(
      `Chromium or Chrome ${oldestMajor} or newer is needed for the tests in a browser, and ${why}. Install one (Debian, as root: ` +
        'apt-get install chromium; macOS: brew install --cask chromium; others: https://www.google.com/chrome), ' +
        'or set CHROMIUM to the path of the program.',
      options,
    );
  }
}

/** Of the end of 2023. */
const oldestMajor = 120;
const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome'];
const macApplications = ['Chromium', 'Google Chrome'].map((name) => `/Applications/${name}.app/Contents/MacOS/${name}`);

/** A Chromium: $CHROMIUM, or one on PATH, or the one that comes with the dependencies (Linux on x64). @throws NoChromiumError */
export async function findChromium(options: FindChromiumOptions = {}): Promise<Chromium> {
  const { env = process.env, log = () => {} } = options;
  if (env.CHROMIUM) {
    const why = await whyUnusable({ program: env.CHROMIUM, env: {} });
    if (why === undefined) return { program: env.CHROMIUM, env: {} };
    throw new NoChromiumError(`CHROMIUM=${env.CHROMIUM} ${why}`);
  }
  const folders = (env.PATH ?? '').split(delimiter).filter(Boolean);
  const installed = folders.flatMap((folder) => names.map((name) => join(folder, name)));
  for (const program of [...installed, ...(process.platform === 'darwin' ? macApplications : [])]) {
    const path = realPath(program);
    if (path === undefined) continue;
    const why = basename(path) === 'snap' ? 'may not read our files' : await whyUnusable({ program, env: {} });
    if (why === undefined) return { program, env: {} };
    log(`${program} ${why}: looking further`);
  }
  if (process.platform !== 'linux' || process.arch !== 'x64') throw new NoChromiumError('there is none on PATH');
  try {
    const unpacked = await unpackChromium(options.cacheDir, log);
    const why = await whyUnusable(unpacked);
    if (why === undefined) return unpacked;
    throw new Error(`${unpacked.program} ${why}`);
  } catch (cause) {
    throw new NoChromiumError(`there is none on PATH, and the one of the dependencies cannot be used: ${reasonOf(cause)}`, {
      cause,
    });
  }
}

/** Undefined when it can be used. */
async function whyUnusable({ program, env }: Chromium): Promise<string | undefined> {
  try {
    const options = { timeout: 30_000, env: ownEnvironment(env) };
    const { stdout } = await promisify(execFile)(program, ['--version', '--no-sandbox'], options);
    const major = /Chrom\w* (\d+)\./.exec(stdout)?.[1];
    if (major === undefined) return 'is something else';
    return Number(major) < oldestMajor ? `is of version ${major}` : undefined;
  } catch {
    return 'does not run';
  }
}

function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}
