import { expect, test } from 'vitest';
import { Aside, type AsideEntry } from '../src/aside.ts';
import { SeededRandom } from '../src/index.ts';

interface Item {
  key: string;
  number: number;
}

class Entry implements AsideEntry<Item> {
  readonly item: Item;
  readonly ended: Promise<unknown>;
  heldUpAtMs?: number;
  readonly #end = Promise.withResolvers<unknown>();
  #ends = 0;

  constructor(key: string, number: number) {
    this.item = { key, number };
    this.ended = this.#end.promise;
  }

  readonly resolve = () => this.#endWith('done');
  readonly reject = (error: unknown) => this.#endWith(error);

  #endWith(end: unknown): void {
    this.#ends += 1;
    if (this.#ends > 1) throw new Error(`${this.item.key} ${this.item.number} has ended twice`);
    this.#end.resolve(end);
  }
}

const LOCKED = new Error('locked');
const FOR_EVER_MS = 3_600_000;

/** Rows that others may hold, and what was done with them. */
class Rows {
  readonly locked = new Set<string>();
  readonly done: Item[] = [];
  /** The keys of each attempt. */
  readonly attempts: string[][] = [];
  /** How many attempts there were at once at most. */
  mostAtOnce = 0;
  onAttempt = () => {};
  readonly #busy = new Set<string>();
  #running = 0;

  readonly run = async (entries: Entry[]): Promise<{ heldUp: Entry[]; error: unknown }> => {
    const keys = [...new Set(entries.map(({ item }) => item.key))];
    for (const key of keys) if (this.#busy.has(key)) throw new Error(`${key} is tried in two places at once`);
    for (const key of keys) this.#busy.add(key);
    this.#running += 1;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.#running);
    this.attempts.push(keys);
    this.onAttempt();
    await new Promise(setImmediate);
    this.#running -= 1;
    for (const key of keys) this.#busy.delete(key);
    if (keys.some((key) => this.locked.has(key))) return { heldUp: entries, error: LOCKED };
    for (const entry of entries) {
      this.done.push(entry.item);
      entry.resolve();
    }
    return { heldUp: [], error: undefined };
  };

  doneOf(key: string): number[] {
    return this.done.filter((item) => item.key === key).map(({ number }) => number);
  }
}

function beside(rows: Rows, patienceMs: number, maxBatch = 256) {
  const freed: Entry[] = [];
  const options = { isHeldUp: (error: unknown) => error === LOCKED, of: ({ key }: Item) => key, patienceMs };
  return { aside: new Aside<Item, Entry>(options, maxBatch, rows.run, (entries) => freed.push(...entries)), freed };
}

/** Two of each key. */
const twoOfEach = (keys: number) =>
  Array.from({ length: 2 * keys }, (_, i) => new Entry(`key ${i % keys}`, Math.floor(i / keys)));
const endsOf = (entries: Entry[]) => Promise.all(entries.map(({ ended }) => ended));
const of = (entries: Entry[], key: string) => entries.filter(({ item }) => item.key === key);
const but = (entries: Entry[], key: string) => entries.filter(({ item }) => item.key !== key);

test('aside: of a batch in which one key is held up the others are done in a few attempts; that one when it is free', async () => {
  const rows = new Rows();
  rows.locked.add('key 37');
  const entries = twoOfEach(64);
  const { aside, freed } = beside(rows, FOR_EVER_MS);
  aside.divide(entries, LOCKED);
  expect(aside.size).toBe(128);
  expect(await endsOf(but(entries, 'key 37'))).toEqual(Array(126).fill('done'));
  // In eighths: eight attempts, then eight of one key each.
  expect(rows.attempts.filter((keys) => keys.join() !== 'key 37').length).toBeLessThanOrEqual(16);
  expect(rows.mostAtOnce).toBe(2);
  expect(aside.size).toBe(2);
  rows.locked.clear();
  await endsOf(entries);
  expect(rows.doneOf('key 37')).toEqual([0, 1]);
  await new Promise(setImmediate);
  expect(aside.size).toBe(0);
  expect(freed).toEqual([]);
});

test('aside: what comes later for the key waits behind it, and is given back in order when it is free; other keys are not taken', async () => {
  const rows = new Rows();
  rows.locked.add('one');
  const { aside, freed } = beside(rows, FOR_EVER_MS);
  const first = new Entry('one', 0);
  aside.divide([first], LOCKED);
  const later = [1, 2, 3].map((number) => new Entry('one', number));
  expect(later.map((entry) => aside.take(entry))).toEqual([true, true, true]);
  expect(aside.take(new Entry('other', 0))).toBe(false);
  rows.locked.clear();
  await first.ended;
  await new Promise(setImmediate);
  // Those that had come before the attempt were tried with it.
  expect([...rows.doneOf('one'), ...freed.map(({ item }) => item.number)]).toEqual([0, 1, 2, 3]);
  expect(aside.size).toBe(0);
  expect(aside.take(new Entry('one', 4))).toBe(false);
});

test('aside: attempts of a key with many items have no more of them than a batch', async () => {
  const rows = new Rows();
  rows.locked.add('one');
  const { aside, freed } = beside(rows, FOR_EVER_MS, 3);
  const sizes: number[] = [];
  const { run } = rows;
  const entries = Array.from({ length: 8 }, (_, number) => new Entry('one', number));
  const counted = new Aside<Item, Entry>(
    { isHeldUp: () => true, of: ({ key }) => key, patienceMs: FOR_EVER_MS },
    3,
    (each) => {
      sizes.push(each.length);
      rows.locked.clear();
      return run(each);
    },
    (each) => freed.push(...each),
  );
  counted.divide(entries, LOCKED);
  await entries[2]?.ended;
  await new Promise(setImmediate);
  expect(sizes).toEqual([3]);
  expect([...rows.doneOf('one'), ...freed.map(({ item }) => item.number)]).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  expect([aside.size, counted.size]).toEqual([0, 0]);
});

test('aside: whoever is held up for longer than the patience gets the error, also those behind it; others are done', async () => {
  const rows = new Rows();
  rows.locked.add('key 5');
  const entries = twoOfEach(16);
  const { aside } = beside(rows, 100);
  aside.divide(entries, LOCKED);
  const behind = new Entry('key 5', 2);
  await endsOf(but(entries, 'key 5'));
  expect(aside.take(behind)).toBe(true);
  expect(await endsOf([...of(entries, 'key 5'), behind])).toEqual([LOCKED, LOCKED, LOCKED]);
  expect(aside.size).toBe(0);
});

test('aside: after that the key is suspect: its next item is tried at once and alone, and when that goes well it is as good as any', async () => {
  const rows = new Rows();
  rows.locked.add('one');
  const { aside } = beside(rows, 0);
  const first = new Entry('one', 0);
  aside.divide([first], LOCKED);
  expect(await first.ended).toBe(LOCKED);
  const second = new Entry('one', 1);
  expect(aside.take(second)).toBe(true);
  expect(await second.ended).toBe(LOCKED);
  expect(rows.attempts).toEqual([['one']]);
  rows.locked.clear();
  const third = new Entry('one', 2);
  expect(aside.take(third)).toBe(true);
  expect(await third.ended).toBe('done');
  await new Promise(setImmediate);
  expect(aside.take(new Entry('one', 3))).toBe(false);
});

test('aside: when nobody has patience left, as under a lock on the table, not each is tried alone', async () => {
  const rows = new Rows();
  const entries = twoOfEach(64);
  for (const { item } of entries) rows.locked.add(item.key);
  const { aside } = beside(rows, 0);
  aside.divide(entries, LOCKED);
  expect(await endsOf(entries)).toEqual(Array(128).fill(LOCKED));
  expect(rows.attempts).toEqual([]);
  expect(aside.size).toBe(0);
});

test.each([1, 2, 3, 4, 5, 6, 7, 8])(
  'aside: whoever locks what and when, each item ends once, and a key keeps its order: %i',
  async (seed) => {
    const random = new SeededRandom(seed);
    const rows = new Rows();
    const keys = Array.from({ length: 12 }, (_, i) => `key ${i}`);
    rows.onAttempt = () => {
      const key = random.pick(keys);
      if (random.chance(0.3)) rows.locked.add(key);
      else rows.locked.delete(key);
    };
    // As a batcher does it, with one batch of its own at a time.
    const queue: Entry[] = [];
    let isRunning = false;
    const pump = async () => {
      while (!isRunning && queue.length > 0) {
        const batch = queue.splice(0, 16).filter((entry) => !aside.take(entry));
        if (batch.length === 0) continue;
        isRunning = true;
        const { heldUp, error } = await rows.run(batch);
        isRunning = false;
        if (heldUp.length > 0) aside.divide(heldUp, error);
      }
    };
    const options = { isHeldUp: () => true, of: ({ key }: Item) => key, patienceMs: 150 };
    const aside = new Aside<Item, Entry>(options, 4, rows.run, (freed) => {
      queue.unshift(...freed);
      setImmediate(() => void pump());
    });
    const entries: Entry[] = [];
    for (let number = 0; number < 400; number += 1) {
      const entry = new Entry(random.pick(keys), number);
      entries.push(entry);
      queue.push(entry);
      void pump();
      if (random.chance(0.2)) await new Promise(setImmediate);
    }
    const ends = await endsOf(entries);
    const done = entries.filter((_entry, i) => ends[i] === 'done');
    expect(new Set(rows.done)).toEqual(new Set(done.map(({ item }) => item)));
    expect(rows.done).toHaveLength(done.length);
    expect(done.length).toBeGreaterThan(100);
    for (const key of keys) expect(rows.doneOf(key)).toEqual(rows.doneOf(key).toSorted((a, b) => a - b));
    await new Promise(setImmediate);
    expect(aside.size).toBe(0);
  },
);
