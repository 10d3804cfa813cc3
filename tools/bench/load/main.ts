import { readFileSync } from 'node:fs';
import { connectNats } from '@stockbroker/bus';
import { RpcChannel } from '@stockbroker/rpc';
import { TradingServiceDefinition } from '@stockbroker/rpc/stockbroker';
import { inTurns, zipf } from './customers.ts';
import { closedLoop, type Loop, openLoop } from './loops.ts';
import type { Seen, Window } from './seen.ts';
import { type BenchCustomer, Trading } from './trading.ts';

/** What trades, until it is told to stop. */
export type Load = ({ concurrency: number } | { perSecond: number }) & { customers?: 'in turns' | 'zipf' };

/** What the process is asked; it answers each with an Answer of the same id. */
export type Ask = { id: number } & ({ ask: 'begin'; load: Load } | { ask: 'open' } | { ask: 'close' } | { ask: 'end' });

export interface Answer {
  id: number;
  /** Every trade that the broker has acknowledged so far. */
  acknowledged: number;
  /** Of the last window, to `end`. */
  seen: Seen | undefined;
}

/** The load generator, as a process of its own so that what it costs can be told apart. */
const [gateway = '', natsUrl = '', file = ''] = process.argv.slice(2);
const CHANNELS = 4;

const customers = JSON.parse(readFileSync(file, 'utf8')) as BenchCustomer[];
const channels = Array.from({ length: CHANNELS }, () => new RpcChannel(gateway));
const nats = await connectNats(natsUrl, 'bench');
const trading = new Trading(
  channels.map((channel) => channel.client(TradingServiceDefinition)),
  nats,
);
await nats.flush();
const next = { 'in turns': inTurns(customers), zipf: zipf(customers) };
let loop: Loop | undefined;
let window: Window | undefined;

process.on('message', (asked: Ask) => {
  void answer(asked).then((seen) => process.send?.({ id: asked.id, acknowledged: trading.acknowledged, seen } satisfies Answer));
});
process.on('disconnect', () => process.exit());
process.send?.({ id: 0, acknowledged: 0, seen: undefined } satisfies Answer);

async function answer(asked: Ask): Promise<Seen | undefined> {
  if (asked.ask === 'begin') {
    const who = next[asked.load.customers ?? 'in turns'];
    loop =
      'perSecond' in asked.load ? openLoop(trading, asked.load.perSecond, who) : closedLoop(trading, asked.load.concurrency, who);
  } else if (asked.ask === 'open') {
    window = trading.openWindow();
  } else if (asked.ask === 'close') {
    window?.close();
    trading.openWindow();
  } else {
    await loop?.stop();
    return window?.seen();
  }
  return undefined;
}
