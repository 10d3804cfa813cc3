import { type Log, reasonOf } from '@stockbroker/runtime';
import { createLocalJWKSet, errors, type JWTVerifyGetKey } from 'jose';
import type { ReadKeys } from './readKeys.ts';
import { type RefusedKey, usableKeys } from './usableKeys.ts';

export interface IssuerKeysOptions {
  read: ReadKeys;
  /** That tokens may be signed with: keys for others are left out. */
  algorithms: readonly string[];
  /** How often the keys are read: at least twice while they are trusted. While the issuer answers, a withdrawn key is trusted for this long at most. */
  refreshMs: number;
  /** Shortest time between two readings that calls cause, whatever tokens name. */
  cooldownMs: number;
  /** How long the keys are trusted while they cannot be read. */
  staleMs: number;
  log: Log;
}

/** The issuer's keys cannot be had, and those read last are too old, or not the wanted one, or there are none. */
export class KeysUnavailableError extends Error {
  override readonly name = 'KeysUnavailableError';
}

const UNREADABLE = 'the issuer’s keys cannot be read';
const NONE_USABLE = 'the issuer publishes no key that tokens can be checked with';
/** Lines in the log about the keys of one set. */
const MAX_LINES = 20;

/**
 * The issuer's public keys, kept and read again. A token that names a key that is not among them makes for one more reading, since
 * the issuer may have begun to sign with a new one; but only after the cooldown, since anybody can name a key.
 */
export class IssuerKeys {
  /** Changes with the keys: what was verified with others has to be verified again. */
  version = 0;
  readonly #options: IssuerKeysOptions;
  #keys: JWTVerifyGetKey | undefined;
  #content = '';
  #count = 0;
  #readAtMs = Number.NEGATIVE_INFINITY;
  /** When a call last caused a reading. */
  #causedAtMs = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #problem: unknown;
  #stopped = false;

  constructor(options: IssuerKeysOptions) {
    this.#options = options;
  }

  /** Reads the keys, and from then on again and again. Resolves after the first attempt, whatever became of it. */
  async start(): Promise<void> {
    await this.#read();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** Seconds since the keys were read; infinite before that. */
  get ageSeconds(): number {
    return (performance.now() - this.#readAtMs) / 1_000;
  }

  get areUsable(): boolean {
    return performance.now() - this.#readAtMs <= this.#options.staleMs;
  }

  /** What keeps this from knowing keys; undefined when they can be used. */
  problem(): string | undefined {
    if (this.areUsable) return this.#count === 0 ? NONE_USABLE : undefined;
    return `${UNREADABLE}: ${this.#problem === undefined ? 'no answer yet' : reasonOf(this.#problem)}`;
  }

  /** @throws KeysUnavailableError, JWKSNoMatchingKey */
  readonly find: JWTVerifyGetKey = async (header, token) => {
    if (!this.areUsable) await this.#readIfCool();
    try {
      return await this.#usable()(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      const isReadAgain = await this.#readIfCool();
      // It may be the key that the issuer signs with by now.
      if (this.#problem !== undefined) throw new KeysUnavailableError(UNREADABLE, { cause: this.#problem });
      if (!isReadAgain) throw error;
      return await this.#usable()(header, token);
    }
  };

  #usable(): JWTVerifyGetKey {
    if (this.#keys === undefined || !this.areUsable) throw new KeysUnavailableError(this.problem(), { cause: this.#problem });
    return this.#keys;
  }

  /** @returns whether they were read, or somebody else's reading awaited */
  async #readIfCool(): Promise<boolean> {
    if (this.#reading === undefined) {
      const nowMs = performance.now();
      if (nowMs - this.#causedAtMs < this.#options.cooldownMs) return false;
      this.#causedAtMs = nowMs;
    }
    await this.#read();
    return true;
  }

  #read(): Promise<void> {
    this.#reading ??= this.#readOnce().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #readOnce(): Promise<void> {
    const { read, refreshMs, cooldownMs, staleMs, log } = this.#options;
    clearTimeout(this.#timer);
    let nextMs = Math.min(refreshMs, staleMs / 2);
    try {
      await this.#take(await read());
      if (this.#problem !== undefined) log.info('the issuer’s keys can be read again');
      this.#problem = undefined;
    } catch (error) {
      if (this.#problem === undefined) log.warn({ err: error }, UNREADABLE);
      this.#problem = error;
      nextMs = Math.min(nextMs, cooldownMs);
    }
    if (!this.#stopped) this.#timer = setTimeout(() => void this.#read(), nextMs).unref();
  }

  /** A set without one good key is taken, too: an issuer that withdraws all its keys means it. */
  async #take(jwks: unknown): Promise<void> {
    const content = JSON.stringify(jwks) ?? '';
    if (content !== this.#content) {
      const { keys, refused } = await usableKeys(jwks, this.#options.algorithms);
      this.#keys = createLocalJWKSet({ keys });
      this.#content = content;
      this.#count = keys.length;
      this.version += 1;
      this.#tell(
        keys.map(({ kid }) => kid),
        refused,
      );
    }
    this.#readAtMs = performance.now();
  }

  #tell(kids: (string | undefined)[], refused: RefusedKey[]): void {
    const { log } = this.#options;
    log.info({ kids: kids.slice(0, MAX_LINES), refused: refused.length }, 'the issuer’s keys are new');
    for (const { kid, why } of refused.slice(0, MAX_LINES)) log.warn({ kid, why }, 'a key of the issuer is left out');
  }
}
