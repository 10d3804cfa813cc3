import { Gauge, type Registry } from 'prom-client';
import type { Readiness } from './admin.ts';

/** What /readyz says, for alerts: 1 for each thing that is missing, 0 for each that is there. */
export function measureReadiness(registry: Registry, readiness: Readiness): void {
  new Gauge({
    name: 'app_not_ready',
    help: 'Whether something that the process needs is missing, as in /readyz',
    labelNames: ['what'],
    registers: [registry],
    collect() {
      this.reset();
      for (const [what, problem] of Object.entries(readiness())) this.set({ what }, problem === undefined ? 0 : 1);
    },
  });
}
