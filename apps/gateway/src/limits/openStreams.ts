/** How many streams each key has open. It holds those that have any, so all streams of the server bound it. */
export class OpenStreams {
  readonly #most: number;
  readonly #open = new Map<string, number>();

  /** @param most of each key; 0: no limit */
  constructor(most: number) {
    this.#most = most;
  }

  /** @returns false when the key has as many as it may have */
  open(key: string): boolean {
    const open = this.#open.get(key) ?? 0;
    if (this.#most !== 0 && open >= this.#most) return false;
    this.#open.set(key, open + 1);
    return true;
  }

  close(key: string): void {
    const left = (this.#open.get(key) ?? 1) - 1;
    if (left === 0) this.#open.delete(key);
    else this.#open.set(key, left);
  }
}
