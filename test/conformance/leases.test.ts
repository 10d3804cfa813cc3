import { randomUUID } from 'node:crypto';
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
}

async function real(): Promise<Leases> {
  const bucket = `leases-${randomUUID()}`;
  const open = async () => {
    const connection = await connect({ servers: inject('natsUrl') });
    onTestFinished(() => connection.close());
    return natsLeaseStore({ connection, bucket, ttlMs: TTL_MS, replicas: 1 });
  };
  return { mine: await open(), theirs: await open(), wait: sleep };
}

async function memory(): Promise<Leases> {
  const { servers, process, close } = openMemory({ leaseTtlMs: TTL_MS });
  onTestFinished(close);
  const mine = process('mine');
  return { mine: leasesOf(mine, servers), theirs: leasesOf(process('theirs'), servers), wait: mine.sleep };
}

const newKey = () => `partition.${randomUUID()}`;

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
});
