import { eventually } from '@stockbroker/testkit';
import type { Account } from '@stockbroker/trading';
import { expect, test } from 'vitest';
import type { CustomerState } from '../src/ports.ts';
import { Changes } from '../src/watch/changes.ts';
import { watchTrades } from '../src/watch/watchTrades.ts';

const CUSTOMER = 'a11ce000-0000-4000-8000-000000000001';
const account = { customerId: CUSTOMER } as Account;

/** A customer without trades, whose account changes; time passes as fast as it is slept. */
function openWorld({ revision = 3, until = 40 }: { revision?: number; until?: number } = {}) {
  const world = {
    revision,
    reads: 0,
    naps: [] as number[],
    subscribed: 0,
    /** What the store was last asked about. */
    known: undefined as number | undefined,
    tell: (_revision: number) => {},
    stop: new AbortController(),
  };
  const state = (): CustomerState => ({ revision: world.revision, account, trades: [] });
  const changes = new Changes({
    store: {
      readNewRevisions: async ([customer]) => {
        world.known = customer?.revision;
        return [];
      },
    },
    news: {
      onCustomerChanged: (_customerId, handle) => {
        world.subscribed += 1;
        world.tell = handle;
        return {
          stop: async () => {
            world.subscribed -= 1;
          },
        };
      },
    },
    clock: {
      now: () => 0,
      sleep: async (ms, signal) => {
        world.naps.push(ms);
        if (world.naps.length >= until) world.stop.abort();
        // Time stands still for whoever waits for news: only news, or the end, wake him.
        if (signal !== undefined && !signal.aborted && ms > 1_000)
          await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
        else await new Promise((resolve) => setImmediate(resolve));
      },
    },
    onProblem: () => {},
  });
  const store = {
    readSnapshot: async () => state(),
    readChanges: async () => {
      world.reads += 1;
      return state();
    },
  };
  const watch = (after: number) =>
    watchTrades({ store, changes, partitions: 1 }, { customerId: CUSTOMER, after, signal: world.stop.signal });
  return { ...world, world, changes, watch };
}

test('news alone make a change known, and the last watcher to leave ends the listening', async () => {
  const { world, changes, watch } = openWorld({ until: Number.POSITIVE_INFINITY });
  const events = watch(3);
  expect((await events.next()).value).toEqual({ kind: 'heartbeat', revision: 3 });
  const next = events.next();
  world.revision = 4;
  world.tell(4);
  expect((await next).value).toEqual({ kind: 'change', first: 4, revision: 4, trades: [], account });
  expect([world.subscribed, changes.customers]).toEqual([1, 1]);
  await events.return(undefined);
  expect([world.subscribed, changes.customers]).toEqual([0, 0]);
  await changes.stop();
});

test('news of a revision that the store does not have: it is asked for twice a second, and the true ones are told after it', async () => {
  const { world, changes, watch } = openWorld({ until: Number.POSITIVE_INFINITY });
  const events = watch(3);
  await events.next();
  for (let i = 0; i < 3; i += 1) {
    const next = events.next();
    world.tell(2 ** 31 - 1);
    expect((await next).value).toEqual({ kind: 'heartbeat', revision: 3 });
  }
  expect(world.reads).toBeLessThanOrEqual(world.naps.filter((ms) => ms === 500).length + 2);
  const next = events.next();
  world.revision = 4;
  await eventually(
    () => world.known,
    (known) => known === 3,
  );
  world.tell(4);
  expect((await next).value).toMatchObject({ kind: 'change', revision: 4 });
  await events.return(undefined);
  await changes.stop();
});

test.each([3e9, 3.5])('news of %d, which is no revision, are none: the store is not asked about it', async (heard) => {
  const { world, changes, watch } = openWorld({ until: Number.POSITIVE_INFINITY });
  const events = watch(3);
  await events.next();
  const next = events.next();
  world.tell(heard);
  world.known = undefined;
  await eventually(
    () => world.known,
    (known) => known !== undefined,
  );
  expect([world.known, world.reads]).toEqual([0, 1]);
  world.revision = 4;
  world.tell(4);
  expect((await next).value).toMatchObject({ kind: 'change', revision: 4 });
  await events.return(undefined);
  await changes.stop();
});

test('a watcher whose signal aborts stops to wait, and ends', async () => {
  const { world, changes, watch } = openWorld({ until: Number.POSITIVE_INFINITY });
  const events = watch(3);
  await events.next();
  const next = events.next();
  world.stop.abort();
  expect(await next).toEqual({ done: true, value: undefined });
  expect(world.subscribed).toBe(0);
  await changes.stop();
});
