import { backoffMs } from './backoff.ts';

/** How a batcher goes on when what one item needs is held by somebody else. */
export interface AsideOptions<Item> {
  /** True when a batch waited too long for something that others hold. Nothing was done, and later it may be free. */
  isHeldUp: (error: unknown) => boolean;
  /** What is held up together, e.g. all items of one customer. They stay in the order submitted. */
  of: (item: Item) => string;
  /** An item held up for longer is given back to its caller, with the error. */
  patienceMs: number;
}

/** What it needs of the batcher's entries. */
export interface AsideEntry<Item> {
  readonly item: Item;
  /** When it was first held up. */
  heldUpAtMs?: number;
  reject: (error: unknown) => void;
}

/** The entries of some keys that are tried together. */
type Groups<Entry> = Map<string, Entry[]>;
/** And what held them up before. */
interface Part<Entry> {
  groups: Groups<Entry>;
  error: unknown;
}

interface Held<Entry> {
  /** In the order submitted; those that are being tried are not among them. */
  waiting: Entry[];
  failures: number;
  /** In a part that waits or runs, or waiting for its next attempt. */
  isBusy: boolean;
  /** Not busy: until then the key is not trusted, and its next item is tried alone at once. */
  suspectUntilMs: number;
}

/** Into so many a part is divided when somebody in it is held up: with two parts at once all but one are done before that one gives up. */
const PARTS = 8;
const AT_ONCE = 2;
const BACKOFF = { baseMs: 50, maxMs: 500 };
/** Longer than callers wait before they come again: as long as they come, none of their items meets others'. */
const SUSPECT_MS = 30_000;
/** Keys remembered. One more is merely found out again. */
const MAX_SUSPECTS = 1_000;

/**
 * Beside a batcher's own batches: those that were held up, divided until it is known which key is to blame. That one is tried alone and
 * again, with pauses; its later items wait behind it. So whoever holds one row holds up its customer, and nobody else for longer than
 * it takes to notice: the batcher's own batches go on meanwhile, without the keys that are here.
 */
export class Aside<Item, Entry extends AsideEntry<Item>> {
  readonly #options: AsideOptions<Item>;
  readonly #maxBatch: number;
  readonly #run: (entries: Entry[]) => Promise<{ heldUp: Entry[]; error: unknown }>;
  readonly #onFreed: (freed: Entry[]) => void;
  readonly #held = new Map<string, Held<Entry>>();
  #parts: Part<Entry>[] = [];
  #running = 0;
  #size = 0;

  /**
   * @param run tries entries, and tells which of them were held up; all others have ended
   * @param onFreed given entries that need not be here any more, in order; called whenever a key has come to an end here
   */
  constructor(
    options: AsideOptions<Item>,
    maxBatch: number,
    run: (entries: Entry[]) => Promise<{ heldUp: Entry[]; error: unknown }>,
    onFreed: (freed: Entry[]) => void,
  ) {
    this.#options = options;
    this.#maxBatch = maxBatch;
    this.#run = run;
    this.#onFreed = onFreed;
  }

  /** Entries that are here. */
  get size(): number {
    return this.#size;
  }

  /** Takes an entry whose key is here. @returns false when it is not */
  take(entry: Entry): boolean {
    if (this.#held.size === 0) return false;
    const key = this.#options.of(entry.item);
    const held = this.#held.get(key);
    if (held === undefined) return false;
    if (!held.isBusy && performance.now() >= held.suspectUntilMs) {
      this.#held.delete(key);
      return false;
    }
    this.#size += 1;
    if (held.isBusy) {
      held.waiting.push(entry);
    } else {
      held.isBusy = true;
      this.#parts.push({ groups: new Map([[key, [entry]]]), error: undefined });
      this.#pump();
    }
    return true;
  }

  /** Takes a batch in which somebody is held up. */
  divide(entries: Entry[], error: unknown): void {
    this.#size += entries.length;
    this.#divide(this.#addToThoseHere(entries), error);
    this.#pump();
  }

  /** A key is in one part at most: what another batch brings of it waits with the rest. @returns those of other keys */
  #addToThoseHere(entries: Entry[]): Entry[] {
    const heldOf = ({ item }: Entry) => {
      const held = this.#held.get(this.#options.of(item));
      return held?.isBusy === true ? held : undefined;
    };
    for (const [held, added] of Map.groupBy(entries, heldOf)) {
      if (held === undefined) continue;
      for (const entry of added) entry.heldUpAtMs ??= performance.now();
      // Their batch was begun before the key was here, and so before those that wait were submitted.
      held.waiting.unshift(...added);
    }
    return entries.filter((entry) => heldOf(entry) === undefined);
  }

  #divide(entries: Entry[], error: unknown): void {
    const groups: Groups<Entry> = new Map();
    for (const entry of entries) {
      entry.heldUpAtMs ??= performance.now();
      const key = this.#options.of(entry.item);
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [entry]);
      else group.push(entry);
    }
    for (const key of groups.keys()) {
      const held = this.#held.get(key) ?? { waiting: [], failures: 0, isBusy: true, suspectUntilMs: 0 };
      this.#held.set(key, Object.assign(held, { isBusy: true }));
    }
    const [only] = groups;
    if (groups.size === 1 && only !== undefined) this.#pause(only[0], only[1], error);
    else this.#parts.push(...parted(groups, Math.ceil(groups.size / PARTS)).map((each) => ({ groups: each, error })));
  }

  #pump(): void {
    while (this.#running < AT_ONCE) {
      const part = this.#parts.shift();
      if (part === undefined) return;
      this.#giveUp(part);
      if (part.groups.size > 0) void this.#try(part);
    }
  }

  /** When nobody gets on, e.g. because of a lock on a whole table, not each is tried alone. */
  #giveUp({ groups, error }: Part<Entry>): void {
    for (const [key, entries] of groups) {
      if (!entries.every((entry) => this.#hasWaitedEnough(entry))) continue;
      groups.delete(key);
      this.#end(entries, error);
      this.#free(key);
    }
  }

  async #try({ groups }: Part<Entry>): Promise<void> {
    this.#running += 1;
    const entries = [...groups.values()].flat();
    const { heldUp, error } = await this.#run(entries);
    this.#running -= 1;
    this.#size -= entries.length - heldUp.length;
    const heldUpKeys = new Set(heldUp.map(({ item }) => this.#options.of(item)));
    for (const key of groups.keys()) if (!heldUpKeys.has(key)) this.#free(key);
    if (heldUp.length > 0) this.#divide(heldUp, error);
    this.#pump();
  }

  /** The key is to blame. Its entries are tried again, alone, those that have the patience. */
  #pause(key: string, entries: Entry[], error: unknown): void {
    const held = this.#held.get(key);
    if (held === undefined) throw new Error(`${key} is not held up`);
    held.failures += 1;
    // Those behind it have waited with it, and are as patient.
    for (const entry of held.waiting) entry.heldUpAtMs ??= performance.now();
    const all = [...entries, ...held.waiting.splice(0)];
    const tried = all.filter((entry) => !this.#hasWaitedEnough(entry));
    this.#end(
      all.filter((entry) => !tried.includes(entry)),
      error,
    );
    if (tried.length === 0) {
      this.#suspect(key, held);
      return;
    }
    const again = () => {
      const next = tried.slice(0, this.#maxBatch);
      held.waiting.unshift(...tried.slice(next.length));
      this.#parts.push({ groups: new Map([[key, next]]), error });
      this.#pump();
    };
    setTimeout(again, backoffMs(held.failures - 1, Math.random(), BACKOFF));
  }

  #hasWaitedEnough({ heldUpAtMs }: Entry): boolean {
    return heldUpAtMs !== undefined && performance.now() - heldUpAtMs >= this.#options.patienceMs;
  }

  #end(entries: Entry[], error: unknown): void {
    this.#size -= entries.length;
    for (const entry of entries) entry.reject(error);
  }

  #suspect(key: string, held: Held<Entry>): void {
    const nowMs = performance.now();
    // To the end, so that those suspected first stand first.
    this.#held.delete(key);
    for (const [oldest, { isBusy, suspectUntilMs }] of this.#held) {
      if (!isBusy && (suspectUntilMs <= nowMs || this.#held.size >= MAX_SUSPECTS)) this.#held.delete(oldest);
    }
    this.#held.set(key, Object.assign(held, { isBusy: false, suspectUntilMs: nowMs + SUSPECT_MS }));
    this.#onFreed([]);
  }

  /** It went well: what waited behind it is as good as any other. */
  #free(key: string): void {
    const waiting = this.#held.get(key)?.waiting ?? [];
    this.#held.delete(key);
    this.#size -= waiting.length;
    this.#onFreed(waiting);
  }
}

function parted<Entry>(groups: Groups<Entry>, size: number): Groups<Entry>[] {
  const all = [...groups];
  return Array.from({ length: Math.ceil(all.length / size) }, (_, i) => new Map(all.slice(i * size, (i + 1) * size)));
}
