import { isFinal } from '@stockbroker/trading';
import { act, heal } from './act.ts';
import { Violation } from './invariants.ts';
import { type Action, makePlan, type Plan, TROUBLED_MS } from './plan.ts';
import { Simulation } from './simulation.ts';

/** After the last fault is healed every trade must have ended within this time: the longest pause between two questions fits in. */
const DRAIN_MS = 180_000;

export interface SeedResult {
  seed: number;
  /** What was broken, in words; undefined when everything held. */
  violation: string | undefined;
  plan: Plan;
  steps: number;
  trades: number;
  /** How many of the trades were filled. */
  filled: number;
  /** Simulated milliseconds from the healing to the end of the last trade. */
  drainMs: number;
  history: string[];
}

export interface SimulateOptions {
  /** Default: the seed's own. */
  plan?: Plan;
  /** Keeps a history. */
  tells?: boolean;
  /** Changes the world before it begins. */
  prepare?: (simulation: Simulation) => void;
}

/** Runs one seed to its end or to the first violation. The same seed and plan do the same, to the last step. */
export async function simulate(seed: number, options: SimulateOptions = {}): Promise<SeedResult> {
  const simulation = new Simulation(seed, options);
  options.prepare?.(simulation);
  const violation = await run(simulation);
  const trades = [...simulation.servers.database.trades.values()];
  return {
    seed,
    violation,
    plan: simulation.plan,
    steps: simulation.world.steps,
    trades: trades.length,
    filled: trades.filter(({ status }) => status === 'filled').length,
    drainMs: simulation.world.nowMs - TROUBLED_MS,
    history: simulation.history,
  };
}

async function run(simulation: Simulation): Promise<string | undefined> {
  const { world, plan } = simulation;
  for (const action of plan.actions) {
    if (action.kind === 'lose-commits') world.at(action.atMs - action.agoMs, () => simulation.keepCommits(action));
    world.at(action.atMs, () => act(simulation, action));
  }
  world.at(TROUBLED_MS, () => heal(simulation));
  try {
    while (world.nowMs <= TROUBLED_MS + DRAIN_MS && !hasEnded(simulation)) {
      await world.step();
      simulation.invariants.afterStep();
    }
    simulation.invariants.atEnd(simulation.clients.reduce((sum, { ordered }) => sum + ordered, 0));
    for (const watcher of simulation.watchers) watcher.atEnd();
    simulation.invariants.afterStep();
    return undefined;
  } catch (error) {
    // A bug may also show as an error that nobody expected: it counts as well.
    simulation.tell(() => `VIOLATION: ${(error as Error).message}`);
    return error instanceof Violation ? error.message : String((error as Error).stack);
  }
}

function hasEnded({ world, clients, watchers, progress, invariants, servers: { database, exchange } }: Simulation): boolean {
  if (world.nowMs <= TROUBLED_MS || clients.some(({ unanswered }) => unanswered > 0)) return false;
  for (const trade of database.trades.values()) if (!isFinal(trade.status) && !invariants.isBehindHeld(trade)) return false;
  return progress.isLed && exchange.owesReports === 0 && watchers.every(({ isUpToDate }) => isUpToDate);
}

/** Leaves out of a failing plan whatever is not needed to fail. @param indexes of actions to leave out */
export function without(seed: number, indexes: ReadonlySet<number>): Plan {
  const plan = makePlan(seed);
  return { ...plan, actions: plan.actions.filter((_action: Action, i: number) => !indexes.has(i)) };
}

/** The actions that can be left out while the seed still fails: first many at a time, then one by one. */
export async function shrink(
  seed: number,
  { onTry, ...options }: Omit<SimulateOptions, 'plan'> & { onTry?: (actions: number) => void } = {},
): Promise<Set<number>> {
  const total = makePlan(seed).actions.length;
  const left = new Set<number>();
  for (let chunk = Math.ceil(total / 2); chunk >= 1; chunk = chunk === 1 ? 0 : Math.ceil(chunk / 2)) {
    for (let from = 0; from < total; from += chunk) {
      const more = Array.from({ length: chunk }, (_, i) => from + i).filter((i) => i < total && !left.has(i));
      if (more.length === 0) continue;
      const tried = new Set([...left, ...more]);
      onTry?.(total - tried.size);
      if ((await simulate(seed, { ...options, plan: without(seed, tried) })).violation !== undefined)
        for (const i of more) left.add(i);
    }
  }
  return left;
}
