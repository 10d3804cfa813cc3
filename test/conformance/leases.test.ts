import { randomUUID } from 'node:crypto';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { type LeaseChange, type LeaseStore, natsLeaseStore } from '@stockbroker/lease';
import { sleep } from '@stockbroker/runtime';
import { eventually } from '@stockbroker/testkit';
import { describe, expect, inject, onTestFinished, test } from 'vitest';
import { leasesOf } from '../simulation/ports.ts';
import { openMemory } from './memory.ts';

const TTL_MS = 1_000;

interface Leases {
  /** As two workers have it. */
  mine: LeaseStore;
  theirs: LeaseStore;
  wait(ms: number): Promise<void>;
  /** The bucket and all that is in it is lost. */
  lose(): Promise<void>;
}

async function real(): Promise<Leases> {
  const bucket = `leases-${randomUUID()}`;
  const open = async () => {
    const connection = await connect({ servers: inject('natsUrl') });
    onTestFinished(() => connection.close());
    return natsLeaseStore({ connection, bucket, keptMs: TTL_MS, replicas: 1, database: 'ours' });
  };
  const [mine, theirs] = [await open(), await open()];
  const lose = async () => {
    const connection = await connect({ servers: inject('natsUrl') });
    await (await jetstreamManager(connection)).streams.delete(`KV_${bucket}`);
    await connection.close();
  };
  return { mine, theirs, wait: sleep, lose };
}

async function memory(): Promise<Leases> {
  const { servers, process, close } = openMemory({ leaseTtlMs: TTL_MS });
  onTestFinished(close);
  const mine = process('mine');
  const lose = async () => servers.leases.wipe();
  return { mine: leasesOf(mine, servers), theirs: leasesOf(process('theirs'), servers), wait: mine.sleep, lose };
}

const newKey = () => `partition.${randomUUID()}`;

/** Nothing is left of a key that was written now: nats-server looks once a second for what has ended. */
const FORGOTTEN_MS = TTL_MS + 1_500;

/** Watches until the test ends. @returns what it is told of a key, as it comes */
function watched(store: LeaseStore) {
  const stop = new AbortController();
  const seen: LeaseChange[] = [];
  const watching = (async () => {
    for await (const change of store.watch(stop.signal)) seen.push(change);
  })();
  onTestFinished(async () => {
    stop.abort();
    await watching.catch(() => {}); // A bucket that was lost ends its watches.
  });
  const untilSeen = (key: string, holder: string | null) =>
    eventually(
      () => seen.findLast((change) => change.key === key),
      (change) => change?.holder === holder,
      { what: `${key} of ${holder}` },
    );
  return { seen, untilSeen };
}

describe.each([
  ['JetStream', real],
  ['memory', memory],
])('leases in %s', (_name, open) => {
  test('a key is created by one, and renewed only by who names its revision', async () => {
    const { mine, theirs } = await open();
    const key = newKey();
    const created = await mine.create(key, 'me');
    if (created === 'taken') throw new Error('a new key is taken');
    expect(await theirs.create(key, 'them')).toBe('taken');
    expect(await theirs.update(key, 'them', created + 1)).toBe('lost');
    const renewed = await mine.update(key, 'me', created);
    if (renewed === 'lost') throw new Error('a key just created is lost');
    expect(renewed).toBeGreaterThan(created);
    expect(await mine.update(key, 'me', created)).toBe('lost');
  });

  test('a key that is given up can be created anew; one of another revision is not given up', async () => {
    const { mine, theirs } = await open();
    const key = newKey();
    const created = Number(await mine.create(key, 'me'));
    await expect(theirs.delete(key, created + 5)).rejects.toThrow();
    expect(await theirs.create(key, 'them')).toBe('taken');
    await mine.delete(key, created);
    const taken = Number(await theirs.create(key, 'them'));
    expect(taken).toBeGreaterThan(created);
    expect(await mine.update(key, 'me', created)).toBe('lost');
  });

  test('a key that is not renewed is free after its lifetime; one that is renewed is not', async () => {
    const { mine, theirs, wait } = await open();
    const [kept, left] = [newKey(), newKey()];
    let revision = Number(await mine.create(kept, 'me'));
    await mine.create(left, 'me');
    for (let i = 0; i < 6; i += 1) {
      await wait(TTL_MS / 4);
      revision = Number(await mine.update(kept, 'me', revision));
    }
    expect(await theirs.create(kept, 'them')).toBe('taken');
    expect(
      await eventually(
        () => theirs.create(left, 'them'),
        (answer) => answer !== 'taken',
      ),
    ).toBeGreaterThan(0);
  });

  test('a watch tells first what there is, then every change in order, from whomever it is', async () => {
    const { mine, theirs } = await open();
    const [before, later] = [newKey(), newKey()];
    await mine.create(before, 'me');
    const stop = new AbortController();
    const seen: LeaseChange[] = [];
    const watching = (async () => {
      for await (const change of mine.watch(stop.signal)) seen.push(change);
    })();
    const told = (count: number) =>
      eventually(
        () => seen.length,
        (length) => length >= count,
        { what: `${count} changes` },
      );
    await told(1);
    const created = Number(await theirs.create(later, 'them'));
    const renewed = Number(await theirs.update(later, 'them', created));
    await theirs.delete(later, renewed);
    await mine.put(before, 'me again');
    await told(5);
    stop.abort();
    await watching;
    expect(seen.map(({ key, holder }) => [key, holder])).toEqual([
      [before, 'me'],
      [later, 'them'],
      [later, 'them'],
      [later, null],
      [before, 'me again'],
    ]);
    const revisions = seen.slice(1).map(({ revision }) => revision);
    expect(revisions).toEqual(revisions.toSorted((a, b) => a - b));
    expect(seen[2]?.revision).toBe(renewed);
  });

  test('a key that was given up is free once its mark is forgotten, also for who has seen the mark', async () => {
    const { mine, theirs, wait } = await open();
    const key = newKey();
    const { untilSeen } = watched(theirs);
    await mine.delete(key, Number(await mine.create(key, 'me')));
    await untilSeen(key, null);
    await wait(FORGOTTEN_MS);
    expect(await theirs.create(key, 'them')).toBeGreaterThan(0);
    expect(await mine.create(key, 'me')).toBe('taken');
  });

  test('a mark is renewed like a key: who names its revision has the key; any other is refused', async () => {
    const { mine, theirs } = await open();
    const key = newKey();
    const { untilSeen } = watched(theirs);
    await mine.delete(key, Number(await mine.create(key, 'me')));
    const mark = await untilSeen(key, null);
    expect(await mine.update(key, 'me', Number(mark?.revision) - 1)).toBe('lost');
    expect(await theirs.update(key, 'them', Number(mark?.revision))).toBeGreaterThan(Number(mark?.revision));
  });

  test('of a key that is forgotten no revision is right any more, and no watch tells of its end', async () => {
    const { mine, theirs, wait } = await open();
    const key = newKey();
    const { seen, untilSeen } = watched(theirs);
    const created = Number(await mine.create(key, 'me'));
    await untilSeen(key, 'me');
    await wait(FORGOTTEN_MS);
    expect(await mine.update(key, 'me', created)).toBe('lost');
    await expect(mine.delete(key, created)).rejects.toThrow();
    expect(seen.filter((change) => change.key === key)).toHaveLength(1);
    expect(await theirs.create(key, 'them')).toBeGreaterThan(created);
  });

  test('a watch that begins tells of marks too, in the order written, and how much older each is than the newest', async () => {
    const { mine, theirs, wait } = await open();
    const [given, kept, newest] = [newKey(), newKey(), newKey()];
    const revision = Number(await mine.create(given, 'me'));
    await mine.create(kept, 'me');
    await mine.delete(given, revision);
    await wait(TTL_MS / 4);
    await mine.create(newest, 'me');
    const { seen, untilSeen } = watched(theirs);
    await untilSeen(newest, 'me');
    expect(seen.map(({ key, holder }) => [key, holder])).toEqual([
      [kept, 'me'],
      [given, null],
      [newest, 'me'],
    ]);
    expect(seen.at(-1)?.ageMs).toBe(0);
    expect(seen[0]?.ageMs).toBeGreaterThanOrEqual(TTL_MS / 4);
    expect(seen[0]?.ageMs).toBeLessThan(TTL_MS);
  });

  test('a bucket that is lost under its workers is there again: every key is free, and old revisions are refused', async () => {
    const { mine, theirs, lose } = await open();
    const [other, key] = [newKey(), newKey()];
    await mine.create(other, 'me');
    const old = Number(await mine.create(key, 'me'));
    await lose();
    const created = await eventually(
      () => theirs.create(key, 'them').catch(() => 'lost'),
      (answer) => typeof answer === 'number',
    );
    expect(created).toBeLessThan(old);
    expect(
      await eventually(
        () => mine.update(key, 'me', old).catch(() => 'none'),
        (answer) => answer === 'lost',
      ),
    ).toBe('lost');
    const { untilSeen } = watched(mine);
    await untilSeen(key, 'them');
  });
});
