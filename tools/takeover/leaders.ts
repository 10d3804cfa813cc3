import { type AppProcess, type Broker, eventually } from '@stockbroker/testkit';

const DEADLINE_MS = 60_000;
/** To look is work as well, and must not take the processors from what is measured. */
const EVERY_MS = 250;

/** Who leads what, as the database has it: a leader has raised the partition's epoch there before it sends anything. */
export class Leaders {
  readonly #broker: Broker;
  readonly #partitions: number;

  constructor(broker: Broker, partitions: number) {
    this.#broker = broker;
    this.#partitions = partitions;
  }

  async ledBy(worker: AppProcess): Promise<number[]> {
    const leases = await this.#broker.db.partitionLease.findMany({ where: { leader: { startsWith: `${worker.name}-` } } });
    return leases.map(({ partition }) => partition);
  }

  /** Waits until the workers that run lead everything, each as much as another, within one. */
  async untilSettled(): Promise<void> {
    const running = this.#broker.system.workers.filter(({ pid }) => pid !== undefined);
    const ids = running.map(({ endpoints }) => endpoints.worker ?? '');
    const counts = async () => {
      const leases = await this.#broker.db.partitionLease.findMany();
      return ids.map((id) => leases.filter(({ leader }) => leader === id).length);
    };
    await eventually(
      counts,
      (led) => led.reduce((sum, count) => sum + count, 0) === this.#partitions && Math.max(...led) - Math.min(...led) <= 1,
      { what: 'an even spread of the partitions', deadlineMs: DEADLINE_MS, everyMs: EVERY_MS },
    );
  }

  /**
   * Waits until each of the partitions has a new leader and has sent an order under it.
   *
   * @returns when that was for each, by the database's clock, in milliseconds since 1970
   */
  async untilSending(partitions: readonly number[], sinceMs: number): Promise<number[]> {
    const { db } = this.#broker;
    const since = new Date(sinceMs);
    const firstSent = async () => {
      const leases = await db.partitionLease.findMany({ where: { partition: { in: [...partitions] }, since: { gt: since } } });
      return Promise.all(
        leases.map(async ({ partition, since: ledSince }) => {
          // Not what the killed leader had still marked: only what was sent after the new one had raised the epoch.
          const where = { partition, submittedAt: { gte: ledSince } };
          const first = await db.trade.findFirst({ where, orderBy: { submittedAt: 'asc' }, select: { submittedAt: true } });
          return first?.submittedAt?.getTime();
        }),
      );
    };
    const times = await eventually(firstSent, (found) => found.length === partitions.length && !found.includes(undefined), {
      what: 'an order in each partition',
      deadlineMs: DEADLINE_MS,
      everyMs: EVERY_MS,
    });
    return times.filter((time) => time !== undefined);
  }
}
