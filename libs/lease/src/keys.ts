/** The JetStream bucket of all leases. */
export const LEASE_BUCKET = 'LEASES';

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
