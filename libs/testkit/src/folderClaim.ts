import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { processStart } from './processTable.ts';

/** The same folder under one name, whatever symbolic links lead to it. Makes its parents. */
export function canonicalPath(folder: string): string {
  mkdirSync(dirname(folder), { recursive: true });
  return existsSync(folder) ? realpathSync(folder) : join(realpathSync(dirname(folder)), basename(folder));
}

/** Another live process (or this one, earlier) runs a server on the folder. */
export class FolderInUseError extends Error {
  override readonly name = 'FolderInUseError';
  /** Id of the process. */
  readonly pid: number;
  constructor(folder: string, pid: number) {
    super(`${folder} is in use by process ${pid}: stop that one first, or use another folder`);
    this.pid = pid;
  }
}

/**
 * Says that this process runs the server on `folder`, until the returned function is called or the process dies. So a server found
 * on a claimed folder is known to be a leftover of a dead process, and two live processes never take each other's server down.
 *
 * The claim is a folder `<folder>.owner`, filled first and then renamed into place: rename refuses to replace a folder which is
 * not empty, and there is never a claim without its owner's name in it.
 */
export function claimFolder(folder: string): () => void {
  const claim = `${folder}.owner`;
  const mine = `${claim}.${randomUUID()}`;
  const owner = identityOf(process.pid);
  mkdirSync(mine);
  writeFileSync(ownerFile(mine), owner);
  try {
    for (let attempt = 0; attempt < 100; attempt++) {
      if (renamedInto(mine, claim)) return () => takeAway(claim, owner);
      const current = readOwner(claim);
      if (current === undefined) continue; // just released
      if (identityOf(Number.parseInt(current, 10)) === current) throw new FolderInUseError(folder, Number.parseInt(current, 10));
      takeAway(claim, current);
    }
    throw new Error(`${claim} is in the way: remove it`);
  } finally {
    rmSync(mine, { recursive: true, force: true });
  }
}

/** Removes the claim of `owner`, and only that: whoever took it over in the meantime gets it back. */
function takeAway(claim: string, owner: string): void {
  const taken = `${claim}.${randomUUID()}`;
  if (!renamedInto(claim, taken)) return;
  if (readOwner(taken) !== owner && renamedInto(taken, claim)) return;
  rmSync(taken, { recursive: true, force: true });
}

function renamedInto(from: string, to: string): boolean {
  try {
    renameSync(from, to);
    return true;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOTEMPTY' || code === 'EEXIST' || code === 'ENOENT') return false;
    throw error;
  }
}

function readOwner(claim: string): string | undefined {
  try {
    return readFileSync(ownerFile(claim), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

const ownerFile = (claim: string) => join(claim, 'process');

const identityOf = (pid: number) => `${pid} ${processStart(pid) ?? 'gone'}`;
