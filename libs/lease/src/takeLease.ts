import type { LeaseStore } from './ports.ts';

/**
 * Takes a lease that nobody has. One that nobody has renewed for its lifetime is taken at its last revision: its holder has stopped
 * to trust it, and should it have been renewed after all, the revision is another. Waiting until the store forgets it would take
 * longer: nats-server looks for what has ended once a second.
 *
 * @param expired the last revision of such a lease
 * @returns its new revision, or 'taken'
 */
export async function takeLease(
  store: LeaseStore,
  key: string,
  workerId: string,
  expired: number | undefined,
): Promise<number | 'taken'> {
  const revision = expired === undefined ? 'lost' : await store.update(key, workerId, expired);
  return revision === 'lost' ? store.create(key, workerId) : revision;
}
