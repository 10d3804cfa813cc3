/** The JetStream bucket of all leases. */
export const LEASE_BUCKET = 'LEASES';

export const leaseKey = (partition: number) => `partition.${partition}`;
export const presenceKey = (workerId: string) => `worker.${workerId}`;
/** Written by an operator's tool: the worker gives up what it leads. */
export const drainKey = (workerId: string) => `drain.${workerId}`;

/** The presence of a worker that takes no part in elections any more. The ids of workers end in a random part: none is this. */
export const DRAINING = 'draining';
