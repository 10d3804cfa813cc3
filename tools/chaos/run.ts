import { setTimeout as delay } from 'node:timers/promises';
import { SeededRandom } from '@stockbroker/runtime';
import { openDatabase } from '@stockbroker/store/database';
import { readEvidence } from '@stockbroker/testkit';
import type { StopSignal } from '../cli.ts';
import { grouped } from '../cli.ts';
import { makeAccounts } from '../demoPlan.ts';
import type { Progress } from '../progress.ts';
import { ACTIONS } from './actions.ts';
import { Conductor } from './conductor.ts';
import { HOARDER } from './hoarder.ts';
import type { KindName } from './kinds.ts';
import { Lookout } from './lookout.ts';
import { drawPlan } from './plan.ts';
import { type ChaosResult, resultOf } from './result.ts';
import { Takeovers } from './takeovers.ts';
import { Traffic } from './traffic.ts';
import { World } from './world.ts';

const PLAIN_STATUS_MS = 5_000;

export interface RunOptions {
  dataDir: string;
  seed: number;
  minutes: number;
  customers: number;
  rate: number;
  kinds: readonly KindName[];
  /** How long after the healing a trade may be open; for longer it is stuck. */
  drainMs: number;
  progress: Progress;
  stopping: StopSignal;
  /** Told of what must be killed when the user will not wait. */
  started: (what: { kill(): Promise<void> }) => void;
}

/** Starts a system, loads it, breaks it, heals it, and proves what it promised. Undefined when the user has stopped it. */
export async function runChaos(options: RunOptions): Promise<ChaosResult | undefined> {
  const { dataDir, seed, customers, progress, stopping, started } = options;
  const tell = (line: string) => progress.line(`${progress.elapsed().padStart(9)}  ${line}`);
  const accounts = makeAccounts(customers, seed, new SeededRandom(seed));
  progress.live(() => `${progress.elapsed().padStart(9)}  starting…`);
  const starting = World.start({ dataDir, accounts, onEvent: tell }, started);
  starting.catch(() => {}); // Told below, or not at all when it was stopped.
  const world = await Promise.race([starting, stopping.requested]);
  if (world === undefined) return undefined;
  const takeovers = new Takeovers(world.servers.databaseUrl);
  const traffic = new Traffic({ system: world.system, accounts, seed, rate: options.rate });
  try {
    await traffic.open();
    return await breakAndProve(options, { world, traffic, takeovers, accounts, tell });
  } finally {
    progress.end();
    if (stopping.isRequested()) progress.line('Stopping…');
    await traffic.close();
    await takeovers.close();
    await world.stop();
  }
}

interface Stage {
  world: World;
  traffic: Traffic;
  takeovers: Takeovers;
  accounts: ReturnType<typeof makeAccounts>;
  tell: (line: string) => void;
}

async function breakAndProve(options: RunOptions, stage: Stage): Promise<ChaosResult | undefined> {
  const { seed, minutes, kinds, stopping, progress } = options;
  const { world, traffic, takeovers, accounts, tell } = stage;
  const conductor = new Conductor({ actions: ACTIONS, scene: { world, traffic, takeovers }, onFault: tell });
  const lookout = new Lookout(world);
  const plan = drawPlan(seed, minutes * 60_000, kinds);
  const status = () => statusLine(traffic, conductor);
  progress.live(status);
  const plainly = progress.isLive ? undefined : setInterval(() => progress.line(status()), PLAIN_STATUS_MS);
  try {
    const over = new AbortController();
    const timer = setTimeout(() => over.abort(), minutes * 60_000);
    void stopping.requested.then(() => over.abort());
    await Promise.all([traffic.flow(over.signal), conductor.run(plan, over.signal)]);
    clearTimeout(timer);
    if (stopping.isRequested()) return undefined;

    const healingMs = performance.now();
    tell('healing');
    const trouble = await Promise.race([world.heal().then(() => [], describeTrouble), stopping.requested]);
    const drainingMs = performance.now();
    tell('draining');
    await Promise.race([drain(world, traffic, options.drainMs), stopping.requested]);
    if (stopping.isRequested()) return undefined;
    const drainedMs = performance.now();
    await lookout.stop();
    await traffic.lookAgain();
    tell('checking');
    const exchange = { address: world.system.exchangeAddress, apiKey: world.system.exchangeApiKey };
    const { tables, journal } = await readEvidence({ databaseUrl: world.servers.databaseUrl, exchange, without: HOARDER });
    const { calls: clientLog, repeated, errors } = traffic.log;
    return resultOf({
      seed,
      minutes,
      planned: plan.length,
      made: conductor.made,
      trouble: trouble ?? [],
      evidence: { openings: accounts, clientLog: [...clientLog], journal, tables, lies: world.simulator.lies },
      takeovers: takeovers.measured(tables),
      sightings: lookout.sightings,
      repeated,
      heldBack: traffic.heldBack,
      errorsByCode: errors,
      healMs: drainingMs - healingMs,
      drainMs: drainedMs - drainingMs,
    });
  } finally {
    clearInterval(plainly);
    await lookout.stop();
    progress.end();
  }
}

/** Until no trade is open: as clients see it, and in the tables, for those that their clients have given up. */
async function drain(world: World, traffic: Traffic, deadlineMs: number): Promise<void> {
  const giveUpAt = performance.now() + deadlineMs;
  await traffic.drain(deadlineMs);
  const db = openDatabase({
    url: world.servers.databaseUrl,
    poolSize: 1,
    statementTimeoutMs: 10_000,
    onConnectionError: () => {},
  });
  try {
    while ((await db.openTrade.count()) > 0 && performance.now() < giveUpAt) await delay(200);
  } finally {
    await db.$disconnect();
  }
}

function statusLine(traffic: Traffic, conductor: Conductor): string {
  const { placed, ended } = traffic;
  const broken = conductor.now.length === 0 ? 'nothing broken' : conductor.now.join(', ');
  const oldest = (traffic.oldestMs() / 1_000).toFixed(1);
  return `placed ${grouped(placed)}, ended ${grouped(ended)}, open ${grouped(traffic.unfinished)} (oldest ${oldest} s), faults ${conductor.done}; ${broken}`;
}

/** What does not come back when nothing is broken any more is a violation like any other. */
function describeTrouble(error: unknown): string[] {
  return [error instanceof Error ? error.message : String(error)];
}
