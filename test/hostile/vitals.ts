import { readdirSync } from 'node:fs';
import type { AppProcess } from '@stockbroker/testkit';

/** What a process holds of its machine. */
export interface Vitals {
  rssMb: number;
  heapMb: number;
  /** Open files, sockets and pipes. */
  files: number;
  /** What keeps its event loop busy: Node's own count. */
  handles: number;
}

/** Growth that is no leak: caches that fill, code that is compiled, a garbage collector that is not hurried. */
const SLACK = { rssMb: 120, heapMb: 40, files: 15, handles: 15 };

export async function readVitals({ pid, endpoints }: AppProcess): Promise<Vitals> {
  const text = await (await fetch(`${endpoints.admin}/metrics`)).text();
  const metric = (name: string) => Number(new RegExp(`^${name}(?:\\{[^}]*\\})? ([\\d.e+]+)`, 'm').exec(text)?.[1] ?? Number.NaN);
  return {
    rssMb: Math.round(metric('process_resident_memory_bytes') / 2 ** 20),
    heapMb: Math.round(metric('nodejs_heap_size_used_bytes') / 2 ** 20),
    files: readdirSync(`/proc/${pid}/fd`).length,
    handles: metric('nodejs_active_handles_total'),
  };
}

/** The least of each over some readings: what is above it, a garbage collection gives back. */
export function least(readings: Vitals[]): Vitals {
  const of = (key: keyof Vitals) => Math.min(...readings.map((vitals) => vitals[key]));
  return { rssMb: of('rssMb'), heapMb: of('heapMb'), files: of('files'), handles: of('handles') };
}

/** What has grown beyond the slack, in words. */
export function growth(name: string, before: Vitals, after: Vitals): string[] {
  return (Object.keys(SLACK) as (keyof Vitals)[])
    .filter((key) => after[key] > before[key] * 1.15 + SLACK[key])
    .map((key) => `${name}: ${key} grew from ${before[key]} to ${after[key]}`);
}
