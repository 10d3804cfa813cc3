import { setTimeout as delay } from 'node:timers/promises';
import type { Action, Make, Scene } from './action.ts';
import { KINDS, type KindName } from './kinds.ts';
import type { PlannedFault } from './plan.ts';

/** A fault that cannot be made now may be possible a little later. */
const POSTPONE_MS = 8_000;
const LOOK_MS = 100;

/** What became of a planned fault. Times are performance.now(). */
export interface MadeFault {
  number: number;
  kind: KindName;
  target: string;
  outcome: 'done' | 'skipped' | 'failed';
  beganMs: number;
  endedMs: number;
  /** Why it failed: then the run proves nothing. */
  problem?: string;
}

export interface ConductorOptions {
  scene: Omit<Scene, 'choice' | 'isFree'>;
  /** How each kind is made. */
  actions: Record<KindName, Make>;
  /** Told of each fault as it begins. */
  onFault: (line: string) => void;
}

/** Makes the faults of a plan, each in its time, as far as what it needs is not broken already. */
export class Conductor {
  readonly made: MadeFault[] = [];
  readonly #options: ConductorOptions;
  readonly #locks = new Set<string>();
  readonly #running = new Map<number, string>();

  constructor(options: ConductorOptions) {
    this.#options = options;
  }

  get done(): number {
    return this.made.filter(({ outcome }) => outcome === 'done').length;
  }

  /** What is broken now. */
  get now(): string[] {
    return [...this.#running.values()];
  }

  /** Resolves when the last fault has been undone; when the signal aborts, all are undone at once. */
  async run(plan: readonly PlannedFault[], signal: AbortSignal): Promise<void> {
    const startedMs = performance.now();
    await Promise.all(plan.map((fault) => this.#conduct(fault, startedMs + fault.atMs, signal)));
  }

  async #conduct(fault: PlannedFault, atMs: number, signal: AbortSignal): Promise<void> {
    await wait(atMs - performance.now(), signal);
    if (signal.aborted) return;
    const action = await this.#whenPossible(fault, signal);
    const beganMs = performance.now();
    const about = { number: fault.number, kind: fault.kind, beganMs };
    if (action === undefined) {
      this.made.push({ ...about, target: '', outcome: 'skipped', endedMs: beganMs });
      return;
    }
    for (const lock of action.locks) this.#locks.add(lock);
    this.#running.set(fault.number, `${fault.kind} ${action.target}`);
    this.#options.onFault(describe(fault, action));
    try {
      await action.begin();
      await wait(fault.lastsMs, signal);
      await action.end();
      this.made.push({ ...about, target: action.target, outcome: 'done', endedMs: performance.now() });
    } catch (error) {
      const problem = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.made.push({ ...about, target: action.target, outcome: 'failed', endedMs: performance.now(), problem });
    } finally {
      for (const lock of action.locks) this.#locks.delete(lock);
      this.#running.delete(fault.number);
    }
  }

  async #whenPossible({ kind, choice }: PlannedFault, signal: AbortSignal): Promise<Action | undefined> {
    const giveUpAt = performance.now() + POSTPONE_MS;
    const scene = { ...this.#options.scene, choice, isFree: (lock: string) => !this.#locks.has(lock) };
    for (;;) {
      const action = this.#options.actions[kind](scene);
      if (action !== undefined || performance.now() > giveUpAt || signal.aborted) return action;
      await wait(LOOK_MS, signal);
    }
  }
}

function describe({ number, kind, lastsMs }: PlannedFault, { target }: Action): string {
  const length = lastsMs === 0 ? '' : ` for ${(lastsMs / 1_000).toFixed(1)} s`;
  return `#${number} ${kind}: ${target}${length} (${KINDS[kind].what})`;
}

async function wait(ms: number, signal: AbortSignal): Promise<void> {
  await delay(Math.max(0, ms), undefined, { signal }).catch(() => {}); // Aborted: the caller looks.
}
