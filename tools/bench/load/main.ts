import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { connectNats, natsAt } from '@stockbroker/bus';
import { RpcChannel } from '@stockbroker/rpc';
import { TradingServiceDefinition } from '@stockbroker/rpc/stockbroker';
import { PlainGrpc } from '../plainGrpc.ts';
import { inTurns, zipf } from './customers.ts';
import { closedLoop, type Loop, openLoop } from './loops.ts';
import { type Queued, queueUp } from './queue.ts';
import type { Seen, Window } from './seen.ts';
import { type BenchCustomer, Trading } from './trading.ts';
import { type Watching, watchAll } from './watch.ts';

/** What trades, until it is told to stop. */
export type Load = ({ concurrency: number } | { perSecond: number }) & {
  customers?: 'in turns' | 'zipf';
  /** Trades that one more customer places one right after the other once the window opens. */
  queue?: number;
};

/** What the process is asked; it answers each with an Answer of the same id. */
export type Ask = { id: number } & (
  | { ask: 'begin'; load: Load }
  | { ask: 'open' }
  | { ask: 'close' }
  | { ask: 'end' }
  | { ask: 'watch'; streams: number }
);

export interface Answer {
  id: number;
  /** Every trade that the broker has acknowledged so far. */
  acknowledged: number;
  /** Of the last window, to `end`. */
  seen?: Seen;
  queued?: Queued;
  /** Why it could not be done. */
  failure?: string;
}

/** The load generator, as a process of its own so that what it costs can be told apart. */
const [gateway = '', natsUrl = '', file = ''] = process.argv.slice(2);
const CHANNELS = 4;
const LOOK_MS = 20;
const PATIENCE_MS = 60_000;

const [queueing, ...customers] = JSON.parse(readFileSync(file, 'utf8')) as BenchCustomer[];
const next = { 'in turns': inTurns(customers), zipf: zipf(customers) };
/** Only where something is traded: it hears of every trade. */
let trading: Trading | undefined;
let load: Load | undefined;
let loop: Loop | undefined;
let window: Window | undefined;
let queue: Promise<Queued> | undefined;
let watching: Watching | undefined;

process.on('message', (asked: Ask) => {
  void answer(asked)
    .catch((error: Error) => ({ failure: error.message }))
    .then((more) => process.send?.({ id: asked.id, acknowledged: trading?.acknowledged ?? 0, ...more } satisfies Answer));
});
process.on('disconnect', () => process.exit());
process.send?.({ id: 0, acknowledged: 0 } satisfies Answer);

async function answer(asked: Ask): Promise<Partial<Answer>> {
  if (asked.ask === 'begin') await begin(asked.load);
  else if (asked.ask === 'open') open();
  else if (asked.ask === 'close') await close();
  else if (asked.ask === 'watch') await watch(asked.streams);
  else return end();
  return {};
}

async function begin(given: Load): Promise<void> {
  trading ??= await startTrading();
  load = given;
  const who = next[given.customers ?? 'in turns'];
  loop = 'perSecond' in given ? openLoop(trading, given.perSecond, who) : closedLoop(trading, given.concurrency, who);
}

async function startTrading(): Promise<Trading> {
  const places = Array.from({ length: CHANNELS }, () => new PlainGrpc(gateway));
  const client = new RpcChannel(gateway).client(TradingServiceDefinition);
  const nats = await connectNats(natsAt(natsUrl), 'bench');
  const started = new Trading(places, client, nats);
  await nats.flush(); // The server knows of the subscription before anything ends.
  return started;
}

function open(): void {
  window = trading?.openWindow();
  if (load?.queue !== undefined && trading !== undefined && queueing !== undefined)
    queue = queueUp(trading, queueing, load.queue);
}

/** What begins from now on does not count. A window in which nothing has ended yet stays open: nothing can be divided by none. */
async function close(): Promise<void> {
  for (let waitedMs = 0; window?.hasEnds === false; waitedMs += LOOK_MS) {
    if (waitedMs >= PATIENCE_MS) throw new Error(`no trade has ended for ${PATIENCE_MS} ms`);
    await delay(LOOK_MS);
  }
  window?.close();
  trading?.openWindow();
}

async function end(): Promise<Partial<Answer>> {
  await loop?.stop();
  const queued = await queue;
  queue = undefined;
  return { ...(window && { seen: window.seen() }), ...(queued && { queued }) };
}

/** In place of those that stand. */
async function watch(streams: number): Promise<void> {
  await watching?.close();
  watching = await watchAll(gateway, customers.slice(0, streams));
}
