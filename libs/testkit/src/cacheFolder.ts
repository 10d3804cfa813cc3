import { existsSync, lstatSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { homedir, tmpdir, userInfo } from 'node:os';
import { join, resolve } from 'node:path';

const OF_CHECKOUT = resolve(import.meta.dirname, '../../../.stockbroker');

/**
 * Where programs and what is built are kept between runs: `.stockbroker` of this checkout, or, where that must not be written, the
 * user's own cache.
 *
 * @param holding the one that has this in it already is taken first, also when it cannot be written to
 */
export function cacheFolder(name: string, holding?: string, candidates = standardFolders()): string {
  const folders = candidates.map((folder) => join(folder, name));
  const found =
    folders.find((folder, i) => holding !== undefined && isOurs(candidates[i] ?? '') && existsSync(join(folder, holding))) ??
    folders.find((folder, i) => isWritable(candidates[i] ?? '', folder));
  if (found !== undefined) return found;
  throw new Error(`none of ${candidates.join(', ')} can be written to, and something has to be kept in one of them`);
}

function standardFolders(): string[] {
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  return [OF_CHECKOUT, join(cache, 'stockbroker'), join(tmpdir(), `stockbroker-${userInfo().uid}`)];
}

/** In a temporary folder anybody could have made it first, with other programs in it. */
function isOurs(folder: string): boolean {
  if (folder === OF_CHECKOUT || process.getuid === undefined) return true;
  try {
    return lstatSync(folder).uid === process.getuid();
  } catch {
    return false; // There is none.
  }
}

function isWritable(candidate: string, folder: string): boolean {
  try {
    mkdirSync(folder, { recursive: true });
    if (!isOurs(candidate)) return false;
    rmSync(mkdtempSync(join(folder, '.try-')), { recursive: true });
    return true;
  } catch {
    return false;
  }
}
