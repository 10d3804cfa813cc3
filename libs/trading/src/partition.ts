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
