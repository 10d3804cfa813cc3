import type { LeaseClock } from '@stockbroker/lease';
import type { Clock } from '@stockbroker/trade-flow';
import type { World } from './world.ts';

/** The wall clock when the world begins. */
const EPOCH_MS = Date.UTC(2026, 0, 5, 15);

/**
 * A process with its clocks. Everything that it does, it does when something is delivered to it: a time, an answer, a message.
 * Killed, nothing is delivered any more, so it stops between two of its steps; paused, everything is delivered late.
 */
export class SimulatedProcess implements Clock, LeaseClock {
  readonly name: string;
  readonly skewMs: number;
  readonly #world: World;
  readonly #bornAtMs: number;
  /** How fast its clock runs: 1.01 is one percent fast. */
  readonly #speed: number;
  #wallOffsetMs: number;
  #alive = true;
  #pausedUntilMs = 0;
  readonly #onKilled: (() => void)[] = [];

  /** @param skewMs how far its wall clock is from the world's */
  constructor(world: World, name: string, speed = 1, skewMs = 0) {
    this.#world = world;
    this.name = name;
    this.#speed = speed;
    this.skewMs = skewMs;
    this.#wallOffsetMs = skewMs;
    this.#bornAtMs = world.nowMs;
  }

  get isAlive(): boolean {
    return this.#alive;
  }

  get pausedUntilMs(): number {
    return this.#pausedUntilMs;
  }

  get isPaused(): boolean {
    return this.#world.nowMs < this.#pausedUntilMs;
  }

  readonly now = (): number => Math.floor(EPOCH_MS + this.#world.nowMs + this.#wallOffsetMs);

  readonly monotonicMs = (): number => 1_000 + (this.#world.nowMs - this.#bornAtMs) * this.#speed;

  readonly sleep = (ms: number, signal?: AbortSignal): Promise<void> => {
    if (signal?.aborted === true) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      this.#world.after(ms / this.#speed, () => this.deliver(wake));
      signal?.addEventListener('abort', wake, { once: true });
    });
  };

  /** Runs something in this process: now, after its pause, or never. */
  deliver(run: () => void): void {
    if (!this.#alive) return;
    if (this.isPaused) this.#world.at(this.#pausedUntilMs, () => this.deliver(run));
    else run();
  }

  pause(ms: number): void {
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, this.#world.nowMs + ms);
  }

  resume(): void {
    this.#pausedUntilMs = Math.min(this.#pausedUntilMs, this.#world.nowMs);
  }

  /** The administrator, or a time server, sets the clock. The monotonic clock does not care. */
  jumpWallClock(ms: number): void {
    this.#wallOffsetMs += ms;
  }

  readonly onKilled = (run: () => void): void => {
    this.#onKilled.push(run);
  };

  kill(): void {
    if (!this.#alive) return;
    this.#alive = false;
    for (const run of this.#onKilled) run();
  }
}
