import { execFile } from 'node:child_process';
import { globSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { withDebian } from './downloadFromDebian.ts';

export interface Pgbouncer {
  program: string;
  /** What it is to be started with: a downloaded one finds its libraries by it. */
  env: NodeJS.ProcessEnv;
}

const defaultCacheDir = resolve(import.meta.dirname, '../../../.stockbroker/bin');

/** The pgbouncer program: $PGBOUNCER, or one on PATH, or an earlier download, or a download from this machine's Debian mirror. */
export async function findPgbouncer(env: NodeJS.ProcessEnv = process.env, cacheDir = defaultCacheDir): Promise<Pgbouncer> {
  const onPath = [...(env.PATH ?? '').split(delimiter).filter(Boolean), '/usr/sbin'].map((folder) => join(folder, 'pgbouncer'));
  const own = env.PGBOUNCER ? [env.PGBOUNCER] : onPath;
  const cached = join(cacheDir, 'pgbouncer');
  for (const found of [...own.map((program) => ({ program, env })), ...unpacked(cached, env)])
    if (await runs(found)) return found;
  await download(cached);
  for (const found of unpacked(cached, env)) if (await runs(found)) return found;
  throw new Error(
    `pgbouncer is needed, and the downloaded one (in ${cached}) does not run here: install it, or set PGBOUNCER to its path`,
  );
}

function unpacked(folder: string, env: NodeJS.ProcessEnv): Pgbouncer[] {
  const libraries = globSync(join(folder, '{usr/lib,lib}/{*-linux-gnu*,}')).join(delimiter);
  return globSync(join(folder, 'usr/sbin/pgbouncer')).map((program) => ({
    program,
    env: { ...env, LD_LIBRARY_PATH: libraries },
  }));
}

/** Of this machine's own release, because it needs libraries, of which a machine rarely has these two. */
async function download(folder: string): Promise<void> {
  const release = /^VERSION_CODENAME=(\w+)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'stable';
  await withDebian(
    release,
    dirname(folder),
    () => {},
    async (apt) => {
      const depends = await apt.run('apt-cache', 'depends', 'pgbouncer');
      const libraries = [...depends.matchAll(/Depends: (libc-?ares\S*|libevent\S*)/g)].map(([, name = '']) => name);
      await apt.run('apt-get', 'download', 'pgbouncer', ...libraries);
      const root = await apt.unpack();
      rmSync(folder, { recursive: true, force: true });
      renameSync(root, folder);
    },
  );
}

async function runs({ program, env }: Pgbouncer): Promise<boolean> {
  try {
    const { stdout } = await promisify(execFile)(program, ['--version'], { timeout: 10_000, env });
    return stdout.startsWith('PgBouncer');
  } catch {
    return false;
  }
}
