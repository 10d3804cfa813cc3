import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** Named metrics of one process, without global state. Names end in their unit (`_seconds`, `_total`). */
export interface Metrics {
  registry: Registry;
  counter<L extends string = never>(name: string, help: string, labels?: readonly L[]): Counter<L>;
  /** Durations in seconds unless `buckets` say otherwise. */
  histogram<L extends string = never>(name: string, help: string, labels?: readonly L[], buckets?: number[]): Histogram<L>;
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
    counter: (name, help, labels = []) => new Counter({ name, help, labelNames: [...labels], registers }),
    histogram: (name, help, labels = [], buckets = DURATION_BUCKETS) =>
      new Histogram({ name, help, labelNames: [...labels], buckets, registers }),
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
