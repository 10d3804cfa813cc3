import { Elector, type LeaseStore, type Term } from '../src/index.ts';
import { MemoryLeases } from './memoryLeaseStore.ts';
import { SimulatedClock } from './simulatedClock.ts';

export const TTL_MS = 3_000;
export const PARTITIONS = 20;

/**
 * Electors on a simulated clock, that share leases in memory.
 *
 * @param lateMs how much later than after its lifetime the store forgets a lease
 * @param bucketTtlMs how long the store keeps a key
 */
export function createElection(lateMs = 0, bucketTtlMs = TTL_MS) {
  const clock = new SimulatedClock();
  const leases = new MemoryLeases(clock, bucketTtlMs, () => lateMs);
  const terms = new Map<string, Map<number, Term>>();
  const log: string[] = [];
  const handOvers = new Map<string, () => Promise<void>>();

  const worker = (workerId: string, link = { reachable: true }, over: Partial<LeaseStore> = {}, ttlMs = TTL_MS) => {
    const own = new Map<number, Term>();
    terms.set(workerId, own);
    const options = { workerId, partitions: PARTITIONS, clusterSize: 3, ttlMs, renewMs: ttlMs / 3, marginMs: ttlMs / 10 };
    const elector: Elector = new Elector(options, { ...leases.connect(link), ...over }, clock, {
      elected: (term) => {
        own.set(term.partition, term);
        log.push(`${workerId} elected ${term.partition}`);
      },
      lost: (term) => {
        own.delete(term.partition);
        log.push(`${workerId} lost ${term.partition}`);
      },
      handOver: async (term) => {
        await handOvers.get(workerId)?.();
        own.delete(term.partition);
        log.push(`${workerId} handed over ${term.partition}`);
      },
      problem: () => {},
    });
    elector.start();
    return { elector, link };
  };
  /** Partitions by the worker that may act for them now. */
  const trusted = () => {
    const leaders: string[][] = Array.from({ length: PARTITIONS }, () => []);
    for (const [workerId, own] of terms)
      for (const term of own.values()) if (term.isTrusted()) leaders[term.partition]?.push(workerId);
    return leaders;
  };
  return { clock, leases, worker, trusted, terms, log, handOvers };
}
