import type { Breakage } from '../breakages/tryBreakages.ts';

/** A broken rule, and what the simulation must say of it. */
export interface SimulationBreakage extends Breakage {
  /** Part of the violation; null: the simulation does not see it, because another guard keeps every promise. */
  seenAs: RegExp | null;
}

const DECIDE = 'libs/trade-flow/src/decide.ts';
const TURN = 'libs/trade-flow/src/turn.ts';
const SETTLE = 'libs/trade-flow/src/settleReport.ts';
const ELECTOR = 'libs/lease/src/elector.ts';
const BATCHER = 'libs/runtime/src/batcher.ts';
const CHANGES = 'libs/trade-flow/src/watch/changes.ts';
const WATCH = 'libs/trade-flow/src/watch/watchTrades.ts';
const OTHERS = 'libs/lease/src/otherLeases.ts';

const breakage = (
  ...[name, what, seenAs, file, find, replace]: [string, string, RegExp | null, string, string, string]
): SimulationBreakage => ({ name, what, seenAs, patches: [{ file, find, replace }] });

export const BREAKAGES: SimulationBreakage[] = [
  breakage(
    'send-before-mark',
    'an order is sent before it is marked',
    /was sent while it was placed/,
    TURN,
    '    const result = await this.#mark(trade, decision);',
    "    if ('limitPrice' in decision) await this.#submit({ ...trade, ...decision });\n    const result = await this.#mark(trade, decision);",
  ),
  breakage(
    'timeout-is-rejection',
    'an order that was not answered counts as rejected',
    /was sent while it was rejected|is rejected, and the exchange has|the broker has it rejected/,
    TURN,
    "      this.#ports.observe({ kind: 'in-doubt', trade, error });\n      await this.backOff();\n    }\n  }\n\n  /** It may be",
    "      await this.#settle(neverAnOrder(trade, { code: 'HALTED', stockTicker: '' }, this.#ports.clock.now()));\n    }\n  }\n\n  /** It may be",
  ),
  breakage(
    'unknown-is-rejection',
    'an order that the exchange does not know is not sent again, but rejected',
    /is rejected, and the exchange has|the broker has it rejected/,
    TURN,
    "        await this.#sendAgain(trade);\n      } else if (found === 'open')",
    "        await this.#settle(neverAnOrder(trade, { code: 'HALTED', stockTicker: '' }, this.#ports.clock.now()));\n      } else if (found === 'open')",
  ),
  breakage(
    'never-asks',
    'the exchange is never asked for an order',
    /is still executed|waits, though all has been well/,
    TURN,
    '    const found = await this.#ports.exchange.findOrder(trade.id);',
    "    const found = 'open' as Awaited<ReturnType<LanePorts['exchange']['findOrder']>>;",
  ),
  breakage(
    'age-rejects-sent',
    'a trade that may have been sent is rejected because of its age',
    /the broker has it rejected|is rejected, and the exchange has/,
    TURN,
    '      else await this.#resolve(trade);',
    "      else if (this.#ports.clock.now() - trade.createdAt.getTime() > this.#options.maxOutageMs)\n        await this.#settle(neverAnOrder(trade, { code: 'HALTED', stockTicker: '' }, this.#ports.clock.now()));\n      else await this.#resolve(trade);",
  ),
  breakage(
    'late-is-sent',
    'a trade that was placed while the market was closed is sent when it is reached only after the open',
    /was placed while the market was closed, and is sent/,
    DECIDE,
    'if (!queueForOpen && placedAtMs < market.sinceMs - CLOCK_TOLERANCE_MS)',
    'if (!queueForOpen && placedAtMs < market.sinceMs - CLOCK_TOLERANCE_MS && placedAtMs < 0)',
  ),
  {
    name: 'waiting-rejected',
    what: 'a trade that waits for the open is rejected MARKET_CLOSED',
    seenAs: /was to wait for the open, and is rejected/,
    patches: [
      { file: DECIDE, find: "if (!market.isOpen) return 'passed';", replace: "if (!market.isOpen) return 'counted';" },
      { file: DECIDE, find: "return queueForOpen ? 'wait' : {", replace: "return queueForOpen && trade.seq < 0n ? 'wait' : {" },
    ],
  },
  breakage(
    'canceled-twice',
    'a cancellation succeeds although the trade was sent',
    /is (executed|filled|rejected)/,
    'libs/trade-flow/src/cancelTrade.ts',
    "if (trade.rejectCode !== 'CANCELED') throw new NotCancelableError(trade);",
    "if (trade.rejectCode === 'HALTED') throw new NotCancelableError(trade);",
  ),
  breakage(
    'no-sweep',
    'only wake-ups start lanes',
    /is still (placed|executed)|waits, though all has been well/,
    'libs/trade-flow/src/leader.ts',
    '    if (this.#stopping || room <= 0) return;',
    '    if (this.#stopping || room <= 0 || room > 0) return;',
  ),
  breakage(
    'duplicate-is-conflict',
    'a repeated report is quarantined',
    /callbacks are in quarantine/,
    SETTLE,
    'isFinal(trade.status) && isSameOutcome(report, trade)',
    'isFinal(trade.status) && isSameOutcome(report, trade) && report.quantity < 0',
  ),
  breakage(
    'conflict-is-duplicate',
    'a contradicting report is taken for a repeated one',
    /callbacks are in quarantine/,
    SETTLE,
    'isFinal(trade.status) && isSameOutcome(report, trade)',
    'isFinal(trade.status)',
  ),
  breakage(
    'retry-is-new',
    'a repeated client order id makes another trade',
    /trades are stored, .* were ordered/,
    'libs/trade-flow/src/placeTrade.ts',
    '      return retried(ports, order, result.trade);',
    '      return placeTrade(ports, partitions, { ...order, clientOrderId: ["again", order.clientOrderId].join() }, signal);',
  ),
  breakage(
    'trust-from-answer',
    'trust in a renewed lease counts from the answer, not from the attempt',
    /has two trusted leaders/,
    ELECTOR,
    '      held.renewed(revision, attemptedAtMs);',
    '      held.renewed(revision, this.#clock.monotonicMs());',
  ),
  breakage(
    'trust-never-ends',
    'a lease is trusted until a renewal or the watch shows that it is lost',
    /has two trusted leaders/,
    'libs/lease/src/term.ts',
    '    return this.#clock.monotonicMs() < this.#trustedUntilMs;',
    '    return this.#trustedUntilMs > 0;',
  ),
  breakage(
    'failed-batch-silent',
    'the callers of a failed batch get no answer',
    /is still (placed|executed)|waits, though all has been well/,
    BATCHER,
    '      for (const entry of batch) entry.reject(error);\n      return { heldUp: [], error: undefined };',
    '      return { heldUp: [], error: undefined };',
  ),
  breakage(
    'answers-swapped',
    'the answers of a batch reach the wrong callers',
    /./,
    BATCHER,
    '        entry.resolve(results[i] as Result);',
    '        entry.resolve(results[results.length - 1 - i] as Result);',
  ),
  breakage(
    'lease-ignored',
    'a lane does not check whether its lease is trusted',
    null,
    'apps/worker/src/leadPartitions.ts',
    '          isTrusted: () => term.isTrusted(),',
    '          isTrusted: () => true,',
  ),
  breakage(
    'early-release',
    'a lease is given up before the work in hand is done',
    null,
    ELECTOR,
    '      await this.#events.handOver(held);',
    '      void this.#events.handOver(held);',
  ),
  breakage(
    'changes-not-asked',
    'a watcher learns of changes from messages alone, which may be lost',
    /has stayed at/,
    CHANGES,
    '          const changed = await this.#ports.store.readNewRevisions(known.slice(i, i + ASK_CUSTOMERS));',
    '          const changed: typeof known = [];',
  ),
  breakage(
    'change-left-out',
    'a change is left out',
    /and is told of|has stayed at/,
    WATCH,
    '        seen = event.revision;',
    '        seen = event.revision + 1;',
  ),
  breakage(
    'resumed-from-the-start',
    'a stream that resumes repeats the last change',
    /and is told of/,
    WATCH,
    'let seen = after === 0 ? null : after;',
    'let seen = after === 0 ? null : after - 1;',
  ),
  breakage(
    'sent-in-another-session',
    'an order that the exchange does not have is sent again at any later time',
    /marked in an earlier session, is sent in a later one|is sent while the market is closed/,
    DECIDE,
    '  return market.isOpen && isOfSession(hours, market, markedAtMs) && nowMs - markedAtMs <= maxResendAgeMs;',
    '  return market.isOpen || nowMs - markedAtMs <= maxResendAgeMs;',
  ),
  breakage(
    'age-rejects-placed',
    'a trade is rejected because of its age while the exchange is unreachable',
    /is rejected EXCHANGE_UNAVAILABLE, and the exchange was away for/,
    DECIDE,
    'if (!ports.exchange.isReachable()) return whileAway(ports, market, limits);',
    "if (!ports.exchange.isReachable()) return nowMs - placedAtMs < limits.maxOutageMs / 4 ? 'wait' : { refusal: { code: 'EXCHANGE_UNAVAILABLE', limitMs: limits.maxOutageMs } };",
  ),
  breakage(
    'invalid-believed',
    'INVALID to an order is believed at once, although an earlier submission may have caused it',
    /callbacks are in quarantine|the broker has it rejected|is rejected, and the exchange has/,
    TURN,
    "if ((await this.#find(trade)) !== 'unknown') return;",
    'if (trade.seq < 0n) return;',
  ),
  breakage(
    'sent-back-rejected',
    'a trade that waits for the open is rejected when the exchange is closed',
    /was to wait for the open, and is rejected/,
    'libs/trading/src/orderReport.ts',
    "return trade.queueForOpen && outcome.kind === 'rejected'",
    "return trade.queueForOpen && trade.seq < 0n && outcome.kind === 'rejected'",
  ),
  breakage(
    'never-recalls',
    'a new leadership does not ask the exchange for what may have been sent',
    /is rejected, and the exchange has/,
    TURN,
    'if (this.#asked || !mayHaveBeenSent(',
    'if (!this.#asked || !mayHaveBeenSent(',
  ),
  breakage(
    'news-waited-for',
    'a lane waits for ever for the lost news of a settlement',
    /is still executed|waits, though all has been well/,
    TURN,
    '    if (!isHeard) await this.#pauses.sleep(this.#options.askAfterMs);',
    '    if (!isHeard) await this.#pauses.sleep(this.#options.askAfterMs * 1_000_000);',
  ),
  breakage(
    'refused-revision-is-taken',
    'a refused revision is read as "another worker has the lease", and is still remembered',
    /is led by nobody/,
    'libs/lease/src/takeLease.ts',
    '    expired.refused();',
    "    return 'taken';",
  ),
  breakage(
    'lapsed-not-taken',
    'a lease that has ended without being given up is never taken',
    /is led by nobody/,
    OTHERS,
    '      if (nowMs <= endsAtMs) continue;',
    '      if (nowMs <= endsAtMs || revision > 0) continue;',
  ),
  breakage(
    'any-copy-believed',
    'a watch counts that tells of announcements under other revisions than the store has given them',
    /says that nobody leads/,
    'libs/lease/src/presence.ts',
    '    if (this.#stored.includes(revision)) this.#sees(nowMs);',
    '    this.#sees(nowMs);',
  ),
  breakage(
    'seen-before-taken',
    'what the watch told of a lease before this worker took it is kept',
    /says that nobody leads/,
    OTHERS,
    '  taken(partition: number): void {\n    this.#seen.delete(partition);\n',
    '  taken(partition: number): void {\n',
  ),
  breakage(
    'timeline-not-compared',
    'a leadership continues after the database has lost commits',
    /had taken over|the broker has it rejected|is rejected, and the exchange has/,
    'test/simulation/memoryDatabase.ts',
    'if (lease?.epoch !== epoch || lease.timeline !==',
    'if (lease?.epoch !== epoch || epoch < 0n && lease.timeline !==',
  ),
];
