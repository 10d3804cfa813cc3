import { type ChaosBreakage, patch } from './breakage.ts';

/** Of what others do to what we share with them: NATS, PostgreSQL, clocks, the exchange's word. */
export const WORLD_BREAKAGES: ChaosBreakage[] = [
  {
    name: 'mark-trusted-for-ever',
    what: 'a remembered lease that is refused is taken for another worker’s, for ever',
    patches: [
      patch('libs/lease/src/takeLease.ts', '    expired.refused();\n', "    if (expired.revision > 0) return 'taken';\n"),
    ],
    faults: 'worker.kill-all,worker.restart-all',
    seenBy: 'healed',
  },
  {
    name: 'gives-up-when-refused',
    what: 'a NATS client that is refused twice gives up, and the process does not exit',
    patches: [
      patch('libs/bus/src/connectNats.ts', 'ignoreAuthErrorAbort: true,', 'ignoreAuthErrorAbort: false,'),
      patch('libs/bus/src/natsLink.ts', '    this.#fail(new Error(', '    void (new Error('),
    ],
    faults: 'nats.refuse',
    seenBy: 'healed',
  },
  {
    name: 'bucket-read-once',
    what: 'workers read the bucket’s settings only when they start',
    patches: [
      patch(
        'libs/lease/src/natsLeaseStore.ts',
        '  const open = () => ensureBucket(options);',
        '  let opened: Promise<KV> | undefined;\n  const open = () => (opened ??= ensureBucket(options));',
      ),
    ],
    faults: 'nats.resettle',
    seenBy: 'healed',
  },
  {
    name: 'own-clock',
    what: 'a worker compares the database’s times with its own clock',
    patches: [patch('apps/worker/src/app.ts', 'clock: { now: store.now, sleep: systemClock.sleep },', 'clock: systemClock,')],
    faults: 'worker.wrong-clock',
    seenBy: 'waited',
  },
  {
    name: 'locked-with-others',
    what: 'a customer whose row is locked is not set aside: the others in the batch fail and wait too',
    patches: [
      patch(
        'libs/store/src/batchStatements.ts',
        '...(lockedBy === undefined ? {} : {',
        '...(lockedBy === undefined || true ? {} : {',
      ),
    ],
    faults: 'postgres.lock-row',
    seenBy: 'isolated',
  },
  {
    name: 'overdue-ended',
    what: 'a connection whose commit waits for the standby is given up and replaced',
    patches: [patch('libs/store/src/connections.ts', '(client) => overdue.add(client),', '(client) => void client.end(),')],
    faults: 'postgres.wait-for-standby',
    seenBy: 'connections',
  },
  {
    name: 'blip-rejects',
    what: 'a trade older than two seconds is rejected when the exchange is unreachable for a moment',
    patches: [
      patch(
        'libs/trade-flow/src/decide.ts',
        '  if (!ports.exchange.isReachable()) return',
        "  if (!ports.exchange.isReachable() && nowMs - placedAtMs > 2_000)\n    return { refusal: { code: 'EXCHANGE_UNAVAILABLE', limitMs: 2_000 } };\n  if (!ports.exchange.isReachable()) return",
      ),
    ],
    faults: 'exchange.unavailable,exchange.kill',
    seenBy: 'unavailable',
  },
  {
    name: 'suspect-fill-not-kept',
    what: 'a fill beyond its limit is booked without an alert',
    patches: [patch('libs/trade-flow/src/settleReport.ts', '    await keepDoubts(ports, doubts, settled.trade, raw);\n', '')],
    faults: 'exchange.break-limit',
    seenBy: 'quarantine',
  },
  {
    name: 'sent-back-is-rejected',
    what: 'a trade that waits for the open is not sent again as another attempt: the exchange knows the id',
    patches: [patch('libs/store/src/settleTrades.ts', 'attempt = t.attempt + a.sent_back::int', 'attempt = t.attempt')],
    faults: 'exchange.closed',
    seenBy: 'ended',
  },
  {
    name: 'log-is-waited-for',
    what: 'a line that cannot be written ends the process',
    patches: [
      patch(
        'libs/runtime/src/lineWriter.ts',
        'if (error !== null && !isFull(error)) {\n        this.#fail(piece, this.#done);',
        'if (error !== null && !isFull(error)) {\n        throw error;',
      ),
    ],
    faults: 'worker.log-full',
    seenBy: 'harness',
  },
];
