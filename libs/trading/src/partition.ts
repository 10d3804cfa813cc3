/**
 * FNV-1a, 32 bits, over the UTF-8 bytes: the hash that nats-server uses for `{{partition(N,...)}}` in subject mappings, so that
 * both sides agree on a customer's partition.
 */
export function fnv1a32(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) {
    hash = Math.imul(hash ^ byte, 0x01000193);
  }
  return hash >>> 0;
}

/** The one partition that all trades of a customer go through, 0 to count - 1. */
export function partitionOf(customerId: string, count: number): number {
  return fnv1a32(customerId) % count;
}

/**
 * The workers responsible for a partition, best first: rendezvous hashing. The first live one leads, the others stand by. When a
 * worker joins or leaves, only the partitions that it gains or loses change hands.
 *
 * @param size how many at most
 */
export function clusterOf(partition: number, workers: readonly string[], size: number): string[] {
  return workers
    .map((worker) => ({ worker, score: mix(fnv1a32(`${worker}/${partition}`)) }))
    .sort((a, b) => b.score - a.score || (a.worker < b.worker ? -1 : 1))
    .slice(0, size)
    .map(({ worker }) => worker);
}

/** FNV's high bits hardly differ for texts that differ at their end; murmur3's finalizer spreads them. */
function mix(hash: number): number {
  let h = hash;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
