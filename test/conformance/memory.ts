import { SeededRandom } from '@stockbroker/runtime';
import { MemoryLeases } from '../../libs/lease/test/memoryLeaseStore.ts';
import { MemoryBus } from '../simulation/memoryBus.ts';
import { MemoryDatabase } from '../simulation/memoryDatabase.ts';
import { MemoryExchange } from '../simulation/memoryExchange.ts';
import { Network, Service } from '../simulation/network.ts';
import type { Servers } from '../simulation/ports.ts';
import { Sessions } from '../simulation/sessions.ts';
import { SimulatedProcess } from '../simulation/simulatedProcess.ts';
import { World } from '../simulation/world.ts';

const PARTITIONS = 100;

export interface Memory {
  servers: Servers;
  process(name: string): SimulatedProcess;
  close(): void;
}

/** The servers of the simulation on a network without faults, in a world whose time passes as fast as it can. */
export function openMemory({ leaseTtlMs = 3_000, quotes = {} }: { leaseTtlMs?: number; quotes?: Quotes } = {}): Memory {
  const world = new World();
  const random = new SeededRandom(1);
  const now = () => Math.floor(Date.UTC(2026, 0, 5) + world.nowMs);
  const clock = { monotonicMs: () => world.nowMs, sleep: () => Promise.reject(new Error('servers do not sleep')) };
  const exchangeWorld = {
    now,
    isOpen: () => true,
    refusesRepeats: false,
    isBooked: () => true,
    random: () => random.number(),
    after: world.after.bind(world),
    report: () => {},
  };
  const servers: Servers = {
    world,
    random,
    network: new Network(world, random),
    database: new MemoryDatabase(PARTITIONS, now),
    databaseService: new Service('database'),
    exchange: new MemoryExchange(exchangeWorld, quotes),
    exchangeService: new Service('exchange'),
    bus: new MemoryBus(() => world.nowMs),
    leases: new MemoryLeases(clock, leaseTtlMs),
    natsService: new Service('nats'),
    hours: new Sessions([], 0),
    now,
  };
  let isOpen = true;
  const pump = async () => {
    while (isOpen) if (!(await world.step())) await new Promise((resolve) => setImmediate(resolve));
  };
  void pump();
  return {
    servers,
    process: (name) => new SimulatedProcess(world, name),
    close: () => {
      isOpen = false;
    },
  };
}

type Quotes = Record<string, { bid: bigint; ask: bigint }>;
