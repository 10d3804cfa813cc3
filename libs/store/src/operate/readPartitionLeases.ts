import type { Database } from '../database.ts';
import { attempt } from '../errors.ts';

/** The fence of a partition, as the last take-over left it. */
export interface PartitionFence {
  partition: number;
  epoch: bigint;
  /** Empty when nobody has ever led it. */
  leader: string;
  since: Date;
}

/** All partitions: as many as the database was created with. */
export function readPartitionLeases(db: Database): Promise<PartitionFence[]> {
  return attempt(() => db.partitionLease.findMany({ orderBy: { partition: 'asc' } }));
}
