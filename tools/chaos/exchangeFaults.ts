import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { type Behaviour, type OrderReport, OrderState, RejectReason, Side } from '@stockbroker/rpc/exchange';
import type { SeenTrade } from '@stockbroker/testkit';
import { formatUsd, parseUsd } from '@stockbroker/trading';
import { ifFree, type Make, nothing, type Scene } from './action.ts';
import type { FixedQuote } from './simulator.ts';

const APPLY_DEADLINE_MS = 2_000;
const FORGE_EVERY_MS = 150;
const OVERFILL_EVERY_MS = 100;
const CLOSED_EVERY_MS = 200;
const MOST_SENT_BACK = 50;
/** An account that was overfilled may buy no more: few are. */
const MOST_OVERFILLS = 1;

/** It behaves so as well. */
export function behave(behaviour: Partial<Behaviour>): Make {
  return (scene) => {
    const { simulator } = scene.world;
    let stop = () => {};
    const begin = async () => {
      stop = simulator.wish(behaviour);
      await simulator.untilApplied(APPLY_DEADLINE_MS);
    };
    const lock = `exchange: ${Object.keys(behaviour).join()}`;
    return ifFree(scene, { target: 'exchange', locks: [lock], begin, end: async () => stop() });
  };
}

/** Every third ticker gets another quote, and its old one back. */
export function requote(change: (quote: FixedQuote) => FixedQuote): Make {
  return (scene) => {
    const { world, choice } = scene;
    let before: FixedQuote[] = [];
    const begin = async () => {
      const all = await world.simulator.quotes().catch(() => []); // It is away: then there is nothing to change.
      before = all.filter(({ bid }, i) => bid !== '' && i % 3 === Math.floor(choice * 3));
      for (const quote of before) await world.simulator.quote(change(quote));
    };
    const end = async () => {
      for (const quote of before) await world.simulator.quote({ ...quote, halted: false });
    };
    return ifFree(scene, { target: 'a third of the stocks', locks: ['quotes'], begin, end });
  };
}

/** A fifth up or down. */
export function jump(quote: FixedQuote): FixedQuote {
  const factor = quote.ticker.length % 2 === 0 ? 120n : 80n;
  const times = (price: string) => formatUsd((parseUsd(price) * factor) / 100n);
  return { ...quote, bid: times(quote.bid), ask: times(quote.ask) };
}

/** Only sells can be decided, or only buys. */
export function oneSided(quote: FixedQuote): FixedQuote {
  return quote.ticker.length % 2 === 0 ? { ...quote, bid: '' } : { ...quote, ask: '' };
}

/** Does something again and again until the fault ends. */
function repeatedly(target: string, everyMs: number, act: (scene: Scene, round: number) => Promise<void>): Make {
  return (scene) => {
    const over = new AbortController();
    let running: Promise<void> | undefined;
    const run = async () => {
      for (let round = 0; !over.signal.aborted; round += 1) {
        await act(scene, round);
        await delay(everyMs, undefined, { signal: over.signal }).catch(nothing); // Over.
      }
    };
    const begin = async () => {
      running = run();
    };
    const end = async () => {
      over.abort();
      await running;
    };
    return ifFree(scene, { target, locks: [target], begin, end });
  };
}

/** Signed reports that are not true, of trades that have ended, of trades that are open, and of none. */
export const forge = repeatedly('forged reports', FORGE_EVERY_MS, async ({ world, traffic, choice }, round) => {
  const { simulator } = world;
  const ended = traffic.someEnded((choice + round * 0.37) % 1);
  const open = traffic.openTrades()[round]?.trade;
  if (round % 3 === 0) await simulator.forge('a report of an unknown order', { ...forged(randomUUID()), quantity: 1 });
  else if (round % 3 === 1 && ended !== undefined) await simulator.forge('a second, other result', contradicting(ended));
  else if (open !== undefined)
    await simulator.forge('a report of another quantity', { ...about(open), quantity: open.quantity + 1 });
});

function forged(clientOrderId: string) {
  const fill = { state: OrderState.ORDER_STATE_FILLED, price: '12.3400', executionId: `forged-${clientOrderId.slice(0, 8)}` };
  return { clientOrderId, ticker: 'AAPL', side: Side.SIDE_BUY, ...fill };
}

function about({ orderId, stockTicker, type, quantity }: SeenTrade) {
  const side = type === 'buy' ? Side.SIDE_BUY : Side.SIDE_SELL;
  return { ...forged(orderId), ticker: stockTicker, side, quantity };
}

/** What was filled was rejected, what was rejected was filled. */
function contradicting(trade: SeenTrade): Partial<OrderReport> & { clientOrderId: string } {
  if (trade.status !== 'filled') return about(trade);
  const rejection = {
    state: OrderState.ORDER_STATE_REJECTED,
    rejectReason: RejectReason.REJECT_REASON_OTHER,
    price: '',
    executionId: '',
  };
  return { ...about(trade), ...rejection, rejectMessage: 'forged' };
}

/** Orders stay open meanwhile, but for what is done with them. */
function manually(act: (scene: Scene) => ReturnType<Make>): Make {
  return (scene) => {
    const { simulator } = scene.world;
    let stop = () => {};
    const action = act(scene);
    if (action === undefined) return undefined;
    const begin = async () => {
      stop = simulator.wish({ manual: true });
      await simulator.untilApplied(APPLY_DEADLINE_MS);
      await action.begin();
    };
    const end = async () => {
      await action.end();
      stop();
    };
    return { ...action, begin, end };
  };
}

/** One buy is filled at a fifth above its limit. */
export const overfill = manually((scene) => {
  const { simulator } = scene.world;
  let filled = 0;
  return repeatedly('a buy above its limit', OVERFILL_EVERY_MS, async ({ traffic, choice }, round) => {
    await traffic.lookAtOpen((choice + round * 0.61) % 1); // The limit is known only of trades that were seen executed.
    const buy = traffic.openTrades().find(({ trade }) => trade.type === 'buy' && trade.status === 'executed')?.trade;
    if (buy?.limitPrice == null || filled >= MOST_OVERFILLS) return;
    filled += 1;
    await simulator.fill(buy.orderId, formatUsd((buy.limitPrice * 120n) / 100n));
  })(scene);
});

/** What waits for the open is sent back, and sent again later; the rest has ended. */
export const closed = manually(
  repeatedly('the exchange is closed', CLOSED_EVERY_MS, async ({ world, traffic }) => {
    // Those that it does not have, or has ended, it refuses to complete.
    for (const { trade } of traffic.openTrades().slice(0, MOST_SENT_BACK)) await world.simulator.sendBack(trade.orderId);
  }),
);
