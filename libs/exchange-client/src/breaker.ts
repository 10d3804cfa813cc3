import { backoffMs } from '@stockbroker/runtime';

/** Paces calls to something that fails: after a failure nothing new is begun for a while, longer each time. */
export class Breaker {
  #failures = 0;
  #closedAtMs = Number.NEGATIVE_INFINITY;

  isClosed(nowMs: number): boolean {
    return nowMs >= this.#closedAtMs;
  }

  succeeded(): void {
    this.#failures = 0;
    this.#closedAtMs = Number.NEGATIVE_INFINITY;
  }

  failed(nowMs: number, random: number): void {
    this.#closedAtMs = nowMs + backoffMs(this.#failures, random, { baseMs: 100, maxMs: 2_000 });
    this.#failures += 1;
  }
}
