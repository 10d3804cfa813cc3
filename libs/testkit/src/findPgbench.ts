import { execFile } from 'node:child_process';
import { existsSync, globSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { reasonOf } from '@stockbroker/runtime';
import { cacheFolder } from './cacheFolder.ts';
import { withDebian } from './downloadFromDebian.ts';

export interface FindPgbenchOptions {
  /** Where a download is kept. Default: .stockbroker/bin of this checkout, see cacheFolder. */
  cacheDir?: string;
  /** Folders beside those of PATH. Default: where Debian and its like have PostgreSQL. */
  folders?: readonly string[];
  env?: NodeJS.ProcessEnv;
  log?: (line: string) => void;
}

export interface Pgbench {
  program: string;
  /** What it is to be started with: a downloaded one finds its libraries by it. */
  env: NodeJS.ProcessEnv;
}

/** There is no pgbench on this machine, and none could be had. The message says how to install one. */
class NoPgbenchError extends Error {
  override readonly name = 'NoPgbenchError';
  constructor(why: string, options?: ErrorOptions) {
    super(
      `pgbench is needed, and ${why}. Install it (macOS: brew install postgresql; Debian and Ubuntu: sudo apt-get install postgresql; ` +
        'Fedora: sudo dnf install postgresql-contrib), or set PGBENCH to the path of the program.',
      options,
    );
  }
}

/**
 * The pgbench program, which the PostgreSQL of node_modules comes without: $PGBENCH, or one on PATH or where PostgreSQL is installed,
 * or an earlier download, or a download from this machine's Debian mirror. Any version can measure any server.
 */
export async function findPgbench(options: FindPgbenchOptions = {}): Promise<Pgbench> {
  const { cacheDir = cacheFolder('bin', 'pgbench'), folders = installed(), env = process.env, log = () => {} } = options;
  if (env.PGBENCH) {
    const chosen = { program: env.PGBENCH, env };
    if (await runs(chosen)) return chosen;
    throw new NoPgbenchError(`PGBENCH=${env.PGBENCH} does not run`);
  }
  const onPath = (env.PATH ?? '').split(delimiter).filter(Boolean);
  const cached = join(cacheDir, 'pgbench');
  const places = [...[...onPath, ...folders].map((folder) => ({ program: join(folder, 'pgbench'), env }))];
  for (const found of [...places, ...unpacked(cached, env)]) if (await runs(found)) return found;
  try {
    await download(cached, log);
  } catch (cause) {
    throw new NoPgbenchError(`it could not be downloaded: ${reasonOf(cause)}`, { cause });
  }
  for (const found of unpacked(cached, env)) if (await runs(found)) return found;
  throw new NoPgbenchError(`the downloaded one (in ${cached}) does not run here`);
}

function installed(): string[] {
  return globSync('/usr/{lib/postgresql/*,pgsql-*}/bin');
}

function unpacked(folder: string, env: NodeJS.ProcessEnv): Pgbench[] {
  const libraries = globSync(join(folder, '{usr/lib,lib}/{*-linux-gnu*,}')).join(delimiter);
  return globSync(join(folder, 'usr/lib/postgresql/*/bin/pgbench')).map((program) => ({
    program,
    env: { ...env, LD_LIBRARY_PATH: libraries },
  }));
}

/**
 * Of this machine's own release, because it needs libraries, and those its C library. `postgresql` depends on the release's version of
 * it; libraries that this machine has are not downloaded.
 */
async function download(folder: string, log: (line: string) => void): Promise<void> {
  const release = ownRelease();
  await withDebian(release, dirname(folder), log, async (apt) => {
    const name = /Depends: (postgresql-\d+)/.exec(await apt.run('apt-cache', 'depends', 'postgresql'))?.[1];
    if (name === undefined) throw new Error(`Debian ${release} has no postgresql`);
    log(`downloading ${name} and libpq5 (once, about 20 MB)`);
    await apt.run('apt-get', 'download', name, 'libpq5');
    const missing = ['install', '--download-only', '--no-install-recommends', '-y', '-o', 'Debug::NoLocking=1', 'libpq5'];
    await apt.run('apt-get', ...missing);
    const root = await apt.unpack();
    rmSync(folder, { recursive: true, force: true });
    renameSync(root, folder);
  });
}

function ownRelease(): string {
  const file = '/etc/os-release';
  const release = existsSync(file) ? /^VERSION_CODENAME=(\w+)/m.exec(readFileSync(file, 'utf8'))?.[1] : undefined;
  if (release === undefined) throw new Error('this is not a Debian system');
  return release;
}

/** A wrapper without the program behind it does not. */
async function runs({ program, env }: Pgbench): Promise<boolean> {
  try {
    const { stdout } = await promisify(execFile)(program, ['--version'], { timeout: 10_000, env });
    return stdout.startsWith('pgbench (PostgreSQL)');
  } catch {
    return false;
  }
}
