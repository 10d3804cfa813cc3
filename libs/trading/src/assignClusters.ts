import { fnv1a32 } from './partition.ts';

/**
 * The workers responsible for each partition, best first: the first leads, the others stand by. Everybody who knows the same workers
 * computes the same.
 *
 * Rendezvous hashing gives each worker a score for each partition, and each partition goes to the best of them; but of 100 partitions
 * three workers would get, for instance, 26, 33 and 41. So no worker leads more than its share: the pairs of partition and worker
 * are taken best score first, and a worker that has its share takes no more. Shares differ by one at most. Nothing but the present
 * workers counts, no history, so when one joins or leaves slightly more partitions move than evenness alone would need (with a hundred
 * partitions about 3 more when the fourth of four workers joins, 8 when it is the twentieth: test/assignClusters.test.ts).
 * The standbys are the best of the others by score.
 *
 * @param size workers for one partition at most
 * @returns a list of workers for each partition, empty when there is no worker
 */
export function assignClusters(partitions: number, workers: readonly string[], size: number): string[][] {
  const names = [...new Set(workers)].sort();
  const claims: Claim[] = [];
  for (const worker of names) {
    for (let partition = 0; partition < partitions; partition += 1) {
      claims.push({ partition, worker, score: mix(fnv1a32(`${worker}/${partition}`)) });
    }
  }
  // Equal scores stay in the order of names and partitions.
  claims.sort((a, b) => b.score - a.score);
  const leaders = chooseLeaders(claims, partitions, names);
  const clusters = leaders.map((leader) => [leader]);
  for (const { partition, worker } of claims) {
    const cluster = clusters[partition] ?? [];
    if (worker !== cluster[0] && cluster.length < size) cluster.push(worker);
  }
  return names.length === 0 ? Array.from({ length: partitions }, () => []) : clusters;
}

interface Claim {
  partition: number;
  worker: string;
  score: number;
}

/** @param claims best first */
function chooseLeaders(claims: readonly Claim[], partitions: number, workers: readonly string[]): string[] {
  const share = Math.floor(partitions / workers.length);
  let oneMore = partitions % workers.length;
  const led = new Map<string, number>();
  const leaders: string[] = [];
  for (const { partition, worker } of claims) {
    const count = led.get(worker) ?? 0;
    if (leaders[partition] !== undefined || count > share || (count === share && oneMore === 0)) continue;
    if (count === share) oneMore -= 1;
    led.set(worker, count + 1);
    leaders[partition] = worker;
  }
  return leaders;
}

/** FNV's high bits hardly differ for texts that differ at their end; murmur3's finalizer spreads them. */
function mix(hash: number): number {
  let h = hash;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
