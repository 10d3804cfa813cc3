import { type ChaosBreakage, patch } from './breakage.ts';
import { MARKET_BREAKAGES } from './marketBreakages.ts';
import { WATCHING_BREAKAGES } from './watchingBreakages.ts';
import { WORLD_BREAKAGES } from './worldBreakages.ts';

const SETTLE = 'libs/store/src/settleTrades.ts';
const MARK = 'libs/store/src/markTradesExecuted.ts';
const TURN = 'libs/trade-flow/src/turn.ts';
const OLDEST = 'libs/store/src/readOldestOpenTrades.ts';
const MIGRATION = 'prisma/migrations/20261122000000_trading_core/migration.sql';
const ATTEMPTS = 'prisma/migrations/20261129200000_time_and_doubt/migration.sql';

/** The database refuses what the statement would do wrong; to see what the checks see, it must be broken as well. */
const withoutGuards = [
  patch(MIGRATION, `WHEN (OLD."status" IN ('filled', 'rejected')) EXECUTE`, 'WHEN (false) EXECUTE'),
  patch(
    MIGRATION,
    `AND NOT (OLD."status" = 'executed' AND NEW`,
    `AND OLD."status" = 'placed' AND NOT (OLD."status" = 'executed' AND NEW`,
  ),
  patch(ATTEMPTS, 'WHEN (NOT (OLD."status" = \'placed\'', 'WHEN (OLD."status" = \'placed\' AND NOT (OLD."status" = \'placed\''),
  patch(MIGRATION, 'CHECK ("held" >= 0)', 'CHECK (true)'),
  patch(MIGRATION, 'CHECK ("held" BETWEEN 0 AND "quantity")', 'CHECK (true)'),
];
const olderMayBeOpen = patch(MARK, 'LIMIT 1) IS NULL', 'LIMIT 0) IS NULL');

export const BREAKAGES: ChaosBreakage[] = [
  {
    name: 'settle-twice',
    what: 'settling is not guarded by the status; the database refuses',
    patches: [patch(SETTLE, "AND t.status = 'executed' AND t.attempt", 'AND t.attempt')],
    faults: 'exchange.duplicate,exchange.reject',
    seenBy: 'quarantine',
  },
  {
    name: 'settle-twice-unguarded',
    what: 'settling is not guarded by the status, nor is the database',
    patches: [
      patch(SETTLE, "AND t.status = 'executed' AND t.attempt = a.attempt AND a.booked_for IS NULL", 'AND t.attempt = a.attempt'),
      patch(SETTLE, 'ORDER BY execution_id COLLATE "C"\n', 'ORDER BY execution_id COLLATE "C" ON CONFLICT DO NOTHING\n'),
      ...withoutGuards,
    ],
    faults: 'exchange.duplicate',
    seenBy: 'cash',
  },
  {
    name: 'no-fence',
    what: 'the epoch is not checked when a trade is marked',
    patches: [patch(MARK, 'ON f.partition = i.partition AND f.epoch = i.epoch', 'ON f.partition = i.partition')],
    faults: 'worker.pause-long,worker.stall-nats,worker.cut-nats',
    seenBy: null,
  },
  {
    name: 'send-before-mark',
    what: 'an order is sent before it is checked and marked',
    patches: [
      patch(
        TURN,
        'const result = await this.#mark(trade, decision);',
        "if ('limitPrice' in decision) await this.#ports.exchange.submitOrder({ ...trade, ...decision });\n    const result = await this.#mark(trade, decision);",
      ),
    ],
    faults: 'exchange.duplicate',
    seenBy: 'fills',
  },
  {
    name: 'timeout-is-rejection',
    what: 'an order that was not answered counts as rejected',
    patches: [
      patch(
        TURN,
        `        await this.#awaitSettlement();
      }
    } catch (error) {
      if (!(error instanceof ExchangeInDoubtError)) throw error;`,
        `        await this.#awaitSettlement();
      }
    } catch (error) {
      if (!(error instanceof ExchangeInDoubtError)) throw error;
      return this.#settle(neverAnOrder(trade, { code: 'HALTED', stockTicker: '' }, this.#ports.clock.now()));`,
      ),
    ],
    faults: 'exchange.swallow',
    seenBy: 'fills',
  },
  {
    name: 'new-id',
    what: 'an order that was not answered is sent again under another id',
    patches: [
      patch(
        TURN,
        `        await this.#awaitSettlement();
      }
    } catch (error) {
      if (!(error instanceof ExchangeInDoubtError)) throw error;`,
        `        await this.#awaitSettlement();
      }
    } catch (error) {
      if (!(error instanceof ExchangeInDoubtError)) throw error;
      return void this.#ports.exchange.submitOrder({ ...trade, id: crypto.randomUUID() }).catch(() => {});`,
      ),
    ],
    faults: 'exchange.swallow',
    seenBy: 'fills',
  },
  {
    name: 'newest-first',
    what: 'a lane takes the newest trade, and the statement does not check the order',
    patches: [patch(OLDEST, 'ORDER BY o.seq LIMIT 1', 'ORDER BY o.seq DESC LIMIT 1'), olderMayBeOpen],
    faults: 'exchange.slow,worker.kill',
    seenBy: 'order',
  },
  {
    name: 'two-at-a-time',
    what: 'a lane goes on to the next trade without waiting for the settlement',
    patches: [
      patch(
        OLDEST,
        'AND customer_id = c.customer_id ORDER BY seq',
        "AND customer_id = c.customer_id AND (SELECT x.status = 'placed' FROM trades x WHERE x.id = trade_id) ORDER BY seq",
      ),
      patch(TURN, 'if (!isHeard) await this.#pauses.sleep(this.#options.askAfterMs);', 'if (!isHeard) return;'),
      olderMayBeOpen,
    ],
    faults: 'exchange.slow',
    seenBy: 'one at a time',
  },
  {
    name: 'early-200',
    what: 'a callback is answered with success, and stored up to half a second later',
    patches: [
      patch(
        'apps/callback/src/callbacks.ts',
        '      await takeReports(ports, received.reports, received.problems);\n',
        '      setTimeout(() => void takeReports(ports, received.reports, received.problems).catch(() => {}), 500 * Math.random());\n',
      ),
    ],
    faults: 'exchange.conflict',
    seenBy: 'fills',
  },
  {
    name: 'hold-kept',
    what: 'the hold of a rejected buy is not released',
    patches: [
      patch(
        SETTLE,
        'SELECT customer_id, sum(hold) AS hold,',
        "SELECT customer_id, sum(CASE status WHEN 'filled' THEN hold ELSE 0 END) AS hold,",
      ),
    ],
    faults: 'exchange.reject',
    seenBy: 'holds',
  },
  {
    name: 'hold-taken',
    what: 'a fill takes its hold instead of its cost',
    patches: [patch(SETTLE, "WHEN type = 'buy' THEN -quantity * price", "WHEN type = 'buy' THEN -hold")],
    faults: 'worker.kill',
    seenBy: 'cash',
  },
  {
    name: 'shares-replaced',
    what: 'bought shares replace those that were there',
    patches: [patch(SETTLE, 'SET quantity = p.quantity + EXCLUDED.quantity', 'SET quantity = EXCLUDED.quantity + p.held')],
    faults: 'worker.kill',
    seenBy: 'shares',
  },
  {
    name: 'uncounted-fill',
    what: 'a settlement is not counted in the customer’s revision',
    patches: [patch(SETTLE, 'revision = s.revision, ', '')],
    faults: 'worker.kill',
    seenBy: 'revisions',
  },
  {
    name: 'dear-fill-ignored',
    what: 'a fill that cost more than its hold is not booked',
    patches: [
      patch(
        SETTLE,
        'AND a.booked_for IS NULL\n',
        "AND a.booked_for IS NULL AND (a.price IS NULL OR t.type = 'sell' OR t.quantity * a.price <= t.hold)\n",
      ),
    ],
    faults: 'exchange.overfill',
    seenBy: 'ended',
  },
  {
    name: 'no-block',
    what: 'a fill that cost more than its hold does not block the account',
    patches: [patch(SETTLE, 'buys_blocked = b.buys_blocked OR s.overdrawn', 'buys_blocked = b.buys_blocked')],
    faults: 'exchange.overfill',
    seenBy: 'negative',
  },
  {
    name: 'wake-ups-only',
    what: 'a new leader reads no open trades, and no worker sweeps: only wake-ups start lanes',
    patches: [
      patch(
        'libs/trade-flow/src/leader.ts',
        'if (this.#stopping || room <= 0) return;',
        'if (this.#stopping || room > 0) return;',
      ),
    ],
    faults: 'nats.lose-all,worker.kill',
    seenBy: 'ended',
  },
  {
    name: 'retry-is-new',
    what: 'a repeated client order id makes another trade',
    patches: [
      patch('libs/store/src/insertTrades.ts', '      ON CONFLICT (customer_id, client_order_id) DO NOTHING\n', ''),
      patch(
        MIGRATION,
        'CREATE UNIQUE INDEX "trades_customer_id_client_order_id_key"',
        'CREATE INDEX "trades_customer_id_client_order_id_key"',
      ),
    ],
    faults: 'gateway.kill,gateway.pause',
    seenBy: 'one trade per request',
  },
  {
    name: 'quarantine-dropped',
    what: 'a report that changes nothing is not kept',
    patches: [patch('libs/trade-flow/src/settleReport.ts', 'await ports.store.quarantineCallback({ tradeId, why, raw });', '')],
    faults: 'exchange.forge',
    seenBy: 'quarantine',
  },
  {
    name: 'false-acknowledgement',
    what: 'a trade is acknowledged although the database did not answer',
    patches: [
      patch(
        'libs/trade-flow/src/placeTrade.ts',
        'partitionOf(order.customerId, partitions) }, signal);',
        `partitionOf(order.customerId, partitions) }, signal).catch((error) => {
    if (error.name !== 'StoreUnavailableError') throw error;
    const nothing = { reason: null, rejectCode: null, rejectNeeded: null, rejectAvailable: null, limitPrice: null, hold: null, price: null };
    return { kind: 'existing', trade: { ...order, ...nothing, id, status: 'placed', createdAt: new Date() } };
  });`,
      ),
    ],
    faults: 'postgres.kill,postgres.fail-over',
    seenBy: 'acknowledged',
  },
  {
    name: 'stale-answers',
    what: 'a gateway answers GetTrade from a cache of two seconds',
    patches: [
      patch(
        'apps/gateway/src/tradingService.ts',
        'const trade = await patiently(context, () => ports.store.readTrade(orderId));',
        `const cache = (globalThis.cache ??= new Map());
      const cached = cache.get(orderId);
      const trade = cached?.untilMs > Date.now() ? cached.trade : await ports.store.readTrade(orderId);
      if (trade !== cached?.trade) cache.set(orderId, { trade, untilMs: Date.now() + 2_000 });`,
      ),
    ],
    faults: 'exchange.slow,gateway.pause',
    seenBy: 'answers',
  },
  {
    name: 'spendable-shown',
    what: 'an account shows its spendable cash in place of all its cash',
    patches: [
      patch(
        'apps/gateway/src/tradingService.ts',
        'return toAccountMessage(account);',
        'return toAccountMessage({ ...account, amount: account.amount - account.held });',
      ),
    ],
    faults: 'exchange.slow',
    seenBy: 'account reads',
  },
  ...MARKET_BREAKAGES,
  ...WATCHING_BREAKAGES,
  ...WORLD_BREAKAGES,
  {
    name: 'unexpected-error',
    what: 'a gateway has no answer for the error while the database is unavailable',
    patches: [
      patch(
        'apps/gateway/src/errors.ts',
        'if (error instanceof StoreUnavailableError) {',
        'if (error instanceof StoreUnavailableError && false) {',
      ),
    ],
    faults: 'postgres.kill,postgres.fail-over',
    seenBy: 'errors',
  },
];
