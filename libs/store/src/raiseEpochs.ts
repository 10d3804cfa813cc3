import type { Raised } from '@stockbroker/trade-flow';
import type { Queries } from './statement.ts';
import { readTimeline } from './timeline.ts';

/** Epochs of one timeline, far more than ever are raised. */
const EPOCHS_OF_A_TIMELINE_BITS = 32n;

/**
 * Takes over partitions: raises their epochs, so that no earlier leader can mark a trade executed. Waits for marks in flight.
 *
 * Each timeline has epochs of its own: where a failover has lost the last raise, the next one would repeat its number, and a leader of
 * before, paused in the middle of a mark, would pass for the new one.
 *
 * The timeline is read before: where the server changes in between, the epoch is of the old one and marks nothing, and is raised again.
 *
 * @returns the new epoch of each, and when it began
 */
export async function raiseEpochs(db: Queries, takeovers: { partition: number; leader: string }[]): Promise<Raised[]> {
  const timeline = takeovers.length === 0 ? null : await readTimeline(db);
  const leastEpoch = timeline === null ? 0n : (BigInt(`0x${timeline}`) - 1n) << EPOCHS_OF_A_TIMELINE_BITS;
  const rows = await db.query<{ partition: number } & Raised>`/* raiseEpochs */
    WITH input AS MATERIALIZED (
      SELECT * FROM unnest(${takeovers.map((t) => t.partition)}::smallint[], ${takeovers.map((t) => t.leader)}::text[]) AS i(partition, leader)
    ), locked AS MATERIALIZED (
      SELECT partition FROM partition_leases WHERE partition = ANY (ARRAY(SELECT partition FROM input)) ORDER BY partition FOR NO KEY UPDATE
    )
    UPDATE partition_leases l SET epoch = greatest(l.epoch + 1, ${leastEpoch}::bigint),
      leader = i.leader, since = now(), timeline = ${timeline}
    FROM locked k, input i WHERE l.partition = ANY (ARRAY[k.partition]) AND i.partition = k.partition
    RETURNING l.partition, l.epoch, l.since`;
  const raised = new Map(rows.map(({ partition, ...row }) => [partition, row]));
  return takeovers.map(({ partition }) => {
    const row = raised.get(partition);
    if (row === undefined) throw new Error(`partition ${partition} is not in partition_leases`);
    return row;
  });
}
