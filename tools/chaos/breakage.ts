import type { Patch } from '../breakages/sourceCopy.ts';
import type { Breakage } from '../breakages/tryBreakages.ts';

/** A broken rule, and the check that must see it under the faults named. */
export interface ChaosBreakage extends Breakage {
  /** For --only. */
  faults: string;
  /** Which check must see it; null: none can, because another guard keeps the promise. */
  seenBy: string | null;
}

export const patch = (file: string, find: string, replace: string): Patch => ({ file, find, replace });
