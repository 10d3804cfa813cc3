import { randomBytes } from 'node:crypto';

interface Entry<T> {
  value: T;
  endsAtMs: number;
}

/** Things that only who knows their random name may use, for a time. In memory: a restart forgets them. */
export class Grants<T> {
  readonly #lifetimeMs: number;
  readonly #most: number;
  readonly #nowMs: () => number;
  /** In the order of their making, and so of their end. */
  readonly #entries = new Map<string, Entry<T>>();

  /** @param most the oldest goes for one more */
  constructor(lifetimeMs: number, most: number, nowMs: () => number) {
    this.#lifetimeMs = lifetimeMs;
    this.#most = most;
    this.#nowMs = nowMs;
  }

  /** @returns its name */
  add(value: T): string {
    for (const [name, { endsAtMs }] of this.#entries) {
      if (this.#entries.size < this.#most && endsAtMs > this.#nowMs()) break;
      this.#entries.delete(name);
    }
    const name = randomName();
    this.#entries.set(name, { value, endsAtMs: this.#nowMs() + this.#lifetimeMs });
    return name;
  }

  find(name: string): T | undefined {
    const entry = this.#entries.get(name);
    return entry !== undefined && entry.endsAtMs > this.#nowMs() ? entry.value : undefined;
  }

  remove(name: string): void {
    this.#entries.delete(name);
  }
}

export function randomName(): string {
  return randomBytes(32).toString('base64url');
}
