import { type ChaosBreakage, patch } from './breakage.ts';

/** Of trades that wait for the open, and of those that are canceled. */
export const MARKET_BREAKAGES: ChaosBreakage[] = [
  {
    name: 'canceled-too-late',
    what: 'a cancellation succeeds although the trade was sent',
    patches: [
      patch(
        'libs/trade-flow/src/cancelTrade.ts',
        "if (trade.rejectCode !== 'CANCELED') throw new NotCancelableError(trade);",
        "if (trade.rejectCode === 'HALTED') throw new NotCancelableError(trade);",
      ),
    ],
    faults: 'market.close,exchange.slow',
    seenBy: 'canceled',
  },
  {
    name: 'forgotten-at-the-open',
    what: 'trades that wait for the open are passed over even when the market is open',
    patches: [
      patch('libs/trade-flow/src/decide.ts', "if (!market.isOpen) return 'passed';", "if (market.untilMs > 0) return 'passed';"),
    ],
    faults: 'market.close',
    seenBy: 'ended',
  },
];
