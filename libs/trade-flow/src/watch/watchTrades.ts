import { type Account, partitionOf, type Trade, versionsOf } from '@stockbroker/trading';
import type { CustomerState, WatchingStore } from '../ports.ts';
import type { Changes } from './changes.ts';

export interface WatchPorts {
  store: Pick<WatchingStore, 'readSnapshot' | 'readChanges'>;
  changes: Pick<Changes, 'follow'>;
  /** Of all customers. */
  partitions: number;
}

export type WatchEvent =
  /** How everything stands: forget what was known before. */
  | ({ kind: 'snapshot' } & CustomerState)
  /** Revisions `first` to `revision`, which are one change unless there were too many. Account: null where others follow at once. */
  | { kind: 'change'; first: number; revision: number; trades: Trade[]; account: Account | null }
  | { kind: 'heartbeat'; revision: number };

/** After this long without anything to tell a watcher is told that there is nothing. */
export const HEARTBEAT_MS = 10_000;
/** What has not been told yet is told one by one up to so many changes, else as one. */
const MAX_SINGLE_CHANGES = 256;

/**
 * Tells a customer's changes: first a snapshot, or what came after the revision that the watcher has seen, then each as it happens,
 * gapless and in order. All of it is read from the store; news only say when to look. Nothing waits in memory for a watcher that
 * takes its time: the next look tells all that has happened meanwhile.
 *
 * @param after the last revision seen, 0 for none. One that the store cannot continue from is answered with a snapshot
 * @returns nothing when the customer does not exist; ends when the signal aborts
 * @throws StoreUnavailableError
 */
export async function* watchTrades(
  ports: WatchPorts,
  { customerId, after, signal }: { customerId: string; after: number; signal: AbortSignal },
): AsyncGenerator<WatchEvent> {
  const news = ports.changes.follow(customerId, signal);
  try {
    // A snapshot may be of revision 0, and then it is seen.
    let seen = after === 0 ? null : after;
    while (!signal.aborted) {
      const events = await readOn(ports, customerId, seen);
      if (events === null) return;
      for (const event of events) {
        yield event;
        seen = event.revision;
      }
      const revision = seen ?? 0;
      // A watcher is to know at once that the stream stands, and that it still does when news were wrong.
      if (events.length === 0) yield { kind: 'heartbeat', revision };
      while (!(await news.beyond(revision, HEARTBEAT_MS))) {
        if (signal.aborted) return;
        yield { kind: 'heartbeat', revision };
      }
    }
  } finally {
    news.stop();
  }
}

/** What has happened since a revision. Null: there is no such customer. */
async function readOn({ store, partitions }: WatchPorts, customerId: string, seen: number | null): Promise<WatchEvent[] | null> {
  if (seen !== null) {
    const state = await store.readChanges({ customerId, revision: seen });
    if (state === null) return null;
    if (state !== 'too many' && state.revision >= seen) return changesAfter(seen, state);
  }
  // Too much to tell, or a revision that there has not been yet: whatever the watcher has seen, this is how it stands.
  const snapshot = await store.readSnapshot({ customerId, partition: partitionOf(customerId, partitions) });
  return snapshot === null ? null : [{ kind: 'snapshot', ...snapshot }];
}

/** The changes after `seen`, up to the state's revision. A revision that is no trade's was one of the account alone. */
function changesAfter(seen: number, { revision, account, trades }: CustomerState): WatchEvent[] {
  if (revision === seen) return [];
  if (revision - seen > MAX_SINGLE_CHANGES) return [{ kind: 'change', first: seen + 1, revision, trades, account }];
  const byRevision = new Map(trades.flatMap(versionsOf).map((version) => [version.revision, version.trade]));
  return Array.from({ length: revision - seen }, (_, i) => {
    const at = seen + 1 + i;
    const trade = byRevision.get(at);
    return {
      kind: 'change',
      first: at,
      revision: at,
      trades: trade === undefined ? [] : [trade],
      account: at === revision ? account : null,
    };
  });
}
