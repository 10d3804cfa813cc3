/** The JetStream bucket of all leases of one broker. @param prefix NATS_PREFIX; empty for the name without one */
export const leaseBucketName = (prefix: string) => (prefix === '' ? 'LEASES' : `${prefix}_LEASES`);

export const leaseKey = (partition: number) => `partition.${partition}`;
/** The partition that a key is the lease of. Anyone with access to NATS can write other keys: they mean nothing. */
export function partitionIn(key: string, partitions: number): number | undefined {
  const partition = Number(/^partition\.(0|[1-9]\d{0,5})$/.exec(key)?.[1] ?? Number.NaN);
  return partition < partitions ? partition : undefined;
}
export const presenceKey = (workerId: string) => `worker.${workerId}`;
/** Written by an operator's tool: the worker gives up what it leads. */
export const drainKey = (workerId: string) => `drain.${workerId}`;

/** The presence of a worker that takes no part in elections any more. The ids of workers end in a random part: none is this. */
export const DRAINING = 'draining';
/** The presence of a worker that has just begun and does not hear of changes yet: nobody hands anything over to it. */
export const JOINING = 'joining';

/** No lease lives longer: LEASE_TTL_MS is at most this. */
const MAX_TTL_MS = 60_000;

/**
 * What a key holds: who has it, and for how long it lives unless it is written again. The bucket keeps keys for the longest lifetime of
 * all workers; workers with different ones run side by side while LEASE_TTL_MS is being changed, and each lease ends by its own.
 */
export const toValue = (holder: string, ttlMs: number) => `${holder} ${ttlMs}`;

/** A lifetime that is missing or none is our own: a worker of an earlier version writes none. */
export function parseValue(value: string, ownTtlMs: number): { holder: string; ttlMs: number } {
  const [holder = '', lifetime = ''] = value.split(' ', 2);
  const ttlMs = /^[1-9]\d{0,5}$/.test(lifetime) ? Number(lifetime) : ownTtlMs;
  return { holder, ttlMs: Math.min(ttlMs, MAX_TTL_MS) };
}
