import fc from 'fast-check';
import { expect, test } from 'vitest';
import { assignClusters } from '../src/index.ts';

/** Ids as workers have them: a name and eight random digits. */
const workerIds = () =>
  fc
    .uniqueArray(fc.integer({ min: 0, max: 0xffffffff }), { minLength: 1, maxLength: 20 })
    .map((suffixes) => suffixes.map((suffix, i) => `worker-${i + 1}-${suffix.toString(16).padStart(8, '0')}`));
const partitionCounts = fc.constantFrom(1, 7, 100);
const FEW_RUNS = { numRuns: 25 };
const shuffledIds = workerIds().chain((ids) =>
  fc.tuple(fc.constant(ids), fc.shuffledSubarray(ids, { minLength: ids.length, maxLength: ids.length })),
);
const clusterSizes = fc.constantFrom(3, 5);

const leadersOf = (partitions: number, workers: string[]) => assignClusters(partitions, workers, 3).map(([leader]) => leader);

function countBy<T>(items: readonly T[]): Map<T, number> {
  const counts = new Map<T, number>();
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1);
  return counts;
}

test('clusters: each partition has its leader and as many standbys as there are workers for it, nobody twice', () => {
  fc.assert(
    fc.property(partitionCounts, workerIds(), clusterSizes, (partitions, workers, size) => {
      const clusters = assignClusters(partitions, workers, size);
      expect(clusters).toHaveLength(partitions);
      const wanted = Math.min(size, workers.length);
      const isComplete = (cluster: string[]) => cluster.length === wanted && new Set(cluster).size === wanted;
      expect(clusters.every((cluster) => isComplete(cluster) && cluster.every((worker) => workers.includes(worker)))).toBe(true);
    }),
  );
});

test.each([7, 100, 1_000])(
  'clusters: of %d partitions no worker leads more than one more than another, with 1 to 20 workers',
  (partitions) => {
    fc.assert(
      fc.property(workerIds(), (workers) => {
        const led = countBy(leadersOf(partitions, workers));
        const counts = workers.map((worker) => led.get(worker) ?? 0);
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
        expect(counts.reduce((sum, count) => sum + count, 0)).toBe(partitions);
      }),
    );
  },
);

test('clusters: the order in which workers are known, and hearing of one twice, does not matter', () => {
  fc.assert(
    fc.property(partitionCounts, shuffledIds, (partitions, [workers, shuffled]) => {
      expect(assignClusters(partitions, [...shuffled, ...workers], 3)).toEqual(assignClusters(partitions, workers, 3));
    }),
    FEW_RUNS,
  );
});

test('clusters: without workers there are none', () => {
  expect(assignClusters(3, [], 3)).toEqual([[], [], []]);
});

/** What must move for evenness alone when one of `workers` workers joins or leaves; and what moves besides, on average and at most. */
test.each([
  { partitions: 100, workers: 2, average: 1, most: 2 },
  { partitions: 100, workers: 3, average: 3, most: 10 },
  { partitions: 100, workers: 4, average: 5, most: 14 },
  { partitions: 100, workers: 10, average: 8, most: 18 },
  { partitions: 100, workers: 20, average: 11, most: 22 },
  { partitions: 1_000, workers: 4, average: 20, most: 40 },
])(
  'clusters: the last of $workers workers joining or leaving moves few of $partitions partitions more than it leads: $average, at most $most',
  ({ partitions, workers, average, most }) => {
    const extra: number[] = [];
    // Ids drawn once, by a generator whose numbers do not change: the same figures each time.
    const ids = fc.sample(fc.array(fc.integer({ min: 0, max: 0xffffffff }), { minLength: workers, maxLength: workers }), {
      seed: 1,
      numRuns: 30,
    });
    for (const suffixes of ids) {
      const all = suffixes.map((suffix, i) => `worker-${i + 1}-${suffix.toString(16)}`);
      const last = all.at(-1);
      const [before, after] = [leadersOf(partitions, all.slice(0, -1)), leadersOf(partitions, all)];
      extra.push(after.filter((leader, partition) => leader !== last && leader !== before[partition]).length);
    }
    expect(extra.reduce((sum, each) => sum + each, 0) / extra.length).toBeLessThanOrEqual(average);
    expect(Math.max(...extra)).toBeLessThanOrEqual(most);
  },
);
