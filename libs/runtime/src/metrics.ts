import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** Of each label all values that it can have. */
export type Kinds = Readonly<Record<string, readonly string[]>>;
type KindOf<K extends Kinds> = { [L in keyof K]: K[L][number] };

interface KindCounter<K extends Kinds> {
  inc(kind: KindOf<K>, by?: number): void;
}

interface PlainCounter {
  inc(by?: number): void;
}

interface HistogramOptions<L extends string> {
  labels?: readonly L[];
  /** Combinations of labels that have series before the first event: at least those that alerts ask for. */
  kinds?: readonly Record<L, string>[];
  /** Default: of durations in seconds. */
  buckets?: readonly number[];
}

/**
 * Named metrics of one process, without global state. Names end in their unit (`_seconds`, `_total`).
 *
 * Every kind of a counter exists at 0 from the start, which is why the values of its labels are a closed set: `increase()` compares two
 * values of a series, so it misses the event with which a series begins.
 */
export interface Metrics {
  registry: Registry;
  counter(name: string, help: string): PlainCounter;
  counter<const K extends Kinds>(name: string, help: string, kinds: K): KindCounter<K>;
  histogram<L extends string = never>(name: string, help: string, options?: HistogramOptions<L>): Histogram<L>;
  /** Read when it is scraped. */
  gauge(name: string, help: string, read: () => number): void;
}

const DURATION_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
export const SIZE_BUCKETS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

export function createMetrics(app: string): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ app });
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  return {
    registry,
    counter: (name: string, help: string, kinds: Kinds = {}) => {
      const counter = new Counter({ name, help, labelNames: Object.keys(kinds), registers });
      for (const kind of combinations(kinds)) counter.inc(kind, 0);
      return counter;
    },
    histogram: (name, help, { labels = [], kinds = [], buckets = DURATION_BUCKETS } = {}) => {
      const histogram = new Histogram({ name, help, labelNames: [...labels], buckets: [...buckets], registers });
      for (const kind of kinds) histogram.zero(kind);
      return histogram;
    },
    gauge: (name, help, read) => {
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(read());
        },
      });
    },
  };
}

/** Each value of each label with each of the others'. */
export function combinations<const K extends Kinds>(kinds: K): KindOf<K>[] {
  return Object.entries(kinds).reduce<Record<string, string>[]>(
    (all, [label, values]) => all.flatMap((kind) => values.map((value) => ({ ...kind, [label]: value }))),
    [{}],
  ) as KindOf<K>[];
}
