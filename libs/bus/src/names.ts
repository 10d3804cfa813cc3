/** All names on NATS of one broker. Another broker on the same NATS has another prefix. */
export interface BusNames {
  wakeupStream: string;
  /** Of all partitions. */
  wakeupSubjects: string;
  /** A message names customers with placed trades of the partition, with spaces between them. */
  wakeupSubject(partition: number): string;
  settledSubject(partition: number | '*'): string;
  /** Not of a partition: gateways listen to their watchers' customers alone. */
  updatesSubject(customerId: string): string;
}

/** @param prefix NATS_PREFIX; empty for the names without one */
export function busNames(prefix: string): BusNames {
  const before = prefix === '' ? '' : `${prefix}.`;
  return {
    wakeupStream: prefix === '' ? 'TRADES' : `${prefix}_TRADES`,
    wakeupSubjects: `${before}trades.*`,
    wakeupSubject: (partition) => `${before}trades.${partition}`,
    settledSubject: (partition) => `${before}settled.${partition}`,
    updatesSubject: (customerId) => `${before}updates.${customerId}`,
  };
}
