import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import type { AppProcess, Broker } from '@stockbroker/testkit';
import { type DatabaseWork, watchDatabase } from './databaseWork.ts';
import { type ModuleOf, modulesOfBundles } from './modules.ts';
import { add, allocatedBytes, processorTime, type Sums } from './sums.ts';

/** What processes of one kind did in a window of time, by module. */
export interface AppWork {
  app: string;
  /** Seconds of processor, with what the profile itself takes. */
  processor: Record<string, number>;
  /** Bytes. */
  allocated: Record<string, number>;
}

export interface Work {
  apps: AppWork[];
  database: DatabaseWork;
}

const WRITTEN_WITHIN_MS = 60_000;

/** Environment of a process that can be profiled. */
export function profiledEnvironment(folder: string): Record<string, string> {
  mkdirSync(folder, { recursive: true });
  const inProcess = pathToFileURL(join(import.meta.dirname, 'inProcess.ts')).href;
  return { STOCKBROKER_PROFILES: folder, NODE_OPTIONS: `--import=${inProcess} --disable-warning=ExperimentalWarning` };
}

/** Looks for so long at all processes of a broker that were started with that environment, and at its database. */
export async function watchWork({ system, db }: Broker, seconds: number, folder: string): Promise<Work> {
  const { gateways, workers, callbacks, exchange } = system;
  const apps = Object.entries({ gateway: gateways, worker: workers, callback: callbacks, exchange: [exchange] });
  const pids = apps.flatMap(([, processes]) => pidsOf(processes));
  for (const pid of pids) process.kill(pid, 'SIGUSR2');
  const database = await watchDatabase(db, seconds);
  for (const pid of pids) process.kill(pid, 'SIGUSR2');
  const moduleOf = modulesOfBundles();
  const works: AppWork[] = [];
  for (const [app, processes] of apps) works.push(await workOf(app, pidsOf(processes), { folder, moduleOf }));
  return { apps: works, database };
}

async function workOf(app: string, pids: number[], { folder, moduleOf }: { folder: string; moduleOf: ModuleOf }) {
  const [processor, allocated]: [Sums, Sums] = [new Map(), new Map()];
  for (const pid of pids) {
    const file = (kind: string) => join(folder, `${app}.${pid}.${kind}`);
    const cpu = processorTime(await written(file('cpuprofile')), moduleOf);
    for (const [module, micros] of cpu) add(processor, module, micros / 1_000_000);
    for (const [module, bytes] of allocatedBytes(await written(file('heapprofile')), moduleOf)) add(allocated, module, bytes);
  }
  return { app, processor: Object.fromEntries(processor), allocated: Object.fromEntries(allocated) };
}

async function written(file: string) {
  const giveUpAt = performance.now() + WRITTEN_WITHIN_MS;
  while (!existsSync(file)) {
    if (performance.now() > giveUpAt) throw new Error(`a process of the broker has not left its profile: ${file}`);
    await delay(50);
  }
  return JSON.parse(readFileSync(file, 'utf8'));
}

function pidsOf(processes: AppProcess[]): number[] {
  return processes.flatMap(({ pid }) => pid ?? []);
}
