import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Broker } from '@stockbroker/testkit';

/** What a worker logs of a partition that it gives up or takes over. */
interface Line {
  time: string;
  partition: number;
  msg: string;
}

export interface Pauses {
  /** In ms. */
  pauses: number[];
  /** Partitions that have not got a leader yet. */
  leaderless: number;
}

/** Of the partitions that were handed over since then. */
export function pausesSince(broker: Broker, fromMs: number): Pauses {
  const logs = broker.system.workers.map(({ name }) =>
    readFileSync(join(broker.folder, 'system', 'logs', `${name}.log`), 'utf8'),
  );
  return pausesIn(
    logs.flatMap((log) => log.split('\n')),
    fromMs,
  );
}

/**
 * By the workers' logs: from "hands over", where the old leader begins nothing new any more, to "leads", where the new one has
 * raised the epoch, read the open trades and works on them.
 */
export function pausesIn(logged: readonly string[], fromMs: number): Pauses {
  const lines = logged
    .filter((line) => line.includes('"hands over"') || line.includes('"leads"'))
    .map((line) => JSON.parse(line) as Line)
    .map(({ time, partition, msg }) => ({ partition, msg, atMs: Date.parse(time) }))
    .filter(({ atMs }) => atMs >= fromMs)
    .toSorted((a, b) => a.atMs - b.atMs);
  const handedOverAt = new Map<number, number>();
  const pauses: number[] = [];
  for (const { partition, msg, atMs } of lines) {
    const since = handedOverAt.get(partition);
    if (msg === 'hands over') {
      if (since === undefined) handedOverAt.set(partition, atMs);
    } else if (since !== undefined) {
      pauses.push(atMs - since);
      handedOverAt.delete(partition);
    }
  }
  return { pauses, leaderless: handedOverAt.size };
}
