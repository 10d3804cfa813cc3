import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { processStart } from './processTable.ts';

const prefix = '.download-';

/**
 * Gives `make` a new folder in `cacheDir` to fill; what shall be kept is renamed out of it, so that it is there whole or not at all.
 * The rest is removed, also what killed processes left.
 */
export async function inWorkFolder<T>(cacheDir: string, make: (work: string) => Promise<T>): Promise<T> {
  mkdirSync(cacheDir, { recursive: true });
  removeAbandoned(cacheDir);
  const work = join(cacheDir, `${prefix}${process.pid}-${randomUUID()}`);
  mkdirSync(work);
  try {
    return await make(work);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function removeAbandoned(cacheDir: string): void {
  for (const name of readdirSync(cacheDir)) {
    const isAbandoned = name.startsWith(prefix) && processStart(Number.parseInt(name.slice(prefix.length), 10)) === undefined;
    if (isAbandoned) rmSync(join(cacheDir, name), { recursive: true, force: true });
  }
}
