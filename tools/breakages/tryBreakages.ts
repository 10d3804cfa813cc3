import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { openRunFolder } from '@stockbroker/testkit/runs';
import { type StopSignal, stopSignal, UserError } from '../cli.ts';
import { applyPatch, copySources, type Patch } from './sourceCopy.ts';

/** A rule broken on purpose, in a copy of the sources. */
export interface Breakage {
  name: string;
  what: string;
  patches: Patch[];
}

export interface Tried {
  isAsExpected: boolean;
  /** What was seen, for people. */
  line: string;
}

/** @param copy the folder of the broken sources */
export type TryOut<B> = (breakage: B, copy: string, stopping: StopSignal) => Promise<Tried>;

const ROOT = join(import.meta.dirname, '..', '..');

/**
 * Breaks the rules one after the other, each in a copy of its own, and prints what was seen.
 *
 * @param only names separated by commas; undefined: all
 * @returns the exit code: 0 when each was seen as expected, 1 when one was not, 130 when the user has stopped it
 * @throws UserError when there is no breakage of that name
 */
export async function tryBreakages<B extends Breakage>(
  breakages: readonly B[],
  only: string | undefined,
  tryOut: TryOut<B>,
): Promise<number> {
  const names = only?.split(',');
  const unknown = names?.find((name) => !breakages.some((breakage) => breakage.name === name));
  if (unknown !== undefined) throw new UserError(`There is no breakage ${JSON.stringify(unknown)}; --help lists them.`);
  const stopping = stopSignal(() => process.exit(130));
  let failed = 0;
  const folder = openRunFolder('breakages');
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  for (const breakage of breakages) {
    if (names?.includes(breakage.name) === false) continue;
    const { isAsExpected, line } = await inCopy(folder, breakage, (copy) => tryOut(breakage, copy, stopping));
    if (stopping.isRequested()) return 130;
    failed += isAsExpected ? 0 : 1;
    process.stdout.write(`${isAsExpected ? '✓' : '✗'} ${breakage.name}: ${line}\n`);
  }
  return failed === 0 ? 0 : 1;
}

async function inCopy<T>(folder: string, { patches }: Breakage, run: (copy: string) => Promise<T>): Promise<T> {
  const copy = mkdtempSync(join(folder, 'copy-'));
  chmodSync(copy, 0o755); // PostgreSQL may run under another account.
  try {
    copySources(ROOT, copy);
    for (const patch of patches) applyPatch(copy, patch);
    return await run(copy);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}
