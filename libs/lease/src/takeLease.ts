import type { LeaseStore } from './ports.ts';

export interface Expired {
  /** The last revision of a lease that nobody has renewed for its lifetime; undefined when none is known. */
  revision: number | undefined;
  /** The store has refused it. */
  refused(): void;
}

/**
 * Takes a lease that nobody has. One that nobody has renewed for its lifetime is taken at its last revision: its holder no longer
 * trusts it, and should it have been renewed after all, the revision is another. Waiting until the store forgets it would take
 * longer: nats-server looks for what has ended once a second, and the bucket may keep keys for longer than this one's lifetime.
 *
 * A refused revision means only that something else is there now, or nothing: it is forgotten, and the key is looked at.
 *
 * @returns its new revision, or 'taken'
 */
export async function takeLease(store: LeaseStore, key: string, value: string, expired: Expired): Promise<number | 'taken'> {
  if (expired.revision !== undefined) {
    const revision = await store.update(key, value, expired.revision);
    if (revision !== 'lost') return revision;
    expired.refused();
  }
  return store.create(key, value);
}
