import type { Queries } from './statement.ts';

/**
 * Takes over partitions: raises their epochs, so that no earlier leader can mark a trade executed. Waits for marks in flight.
 *
 * @returns the new epoch of each
 */
export async function raiseEpochs(db: Queries, takeovers: { partition: number; leader: string }[]): Promise<bigint[]> {
  const rows = await db.query<{ partition: number; epoch: bigint }>`/* raiseEpochs */
    WITH input AS MATERIALIZED (
      SELECT * FROM unnest(${takeovers.map((t) => t.partition)}::smallint[], ${takeovers.map((t) => t.leader)}::text[]) AS i(partition, leader)
    ), locked AS MATERIALIZED (
      SELECT partition FROM partition_leases WHERE partition = ANY (ARRAY(SELECT partition FROM input)) ORDER BY partition FOR NO KEY UPDATE
    )
    UPDATE partition_leases l SET epoch = l.epoch + 1, leader = i.leader, since = now()
    FROM locked k, input i WHERE l.partition = ANY (ARRAY[k.partition]) AND i.partition = k.partition
    RETURNING l.partition, l.epoch`;
  const epochs = new Map(rows.map((row) => [row.partition, row.epoch]));
  return takeovers.map(({ partition }) => {
    const epoch = epochs.get(partition);
    if (epoch === undefined) throw new Error(`partition ${partition} is not in partition_leases`);
    return epoch;
  });
}
