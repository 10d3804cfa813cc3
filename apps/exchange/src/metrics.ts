import { REFUSED } from '@stockbroker/rpc';
import { type Metrics, SIZE_BUCKETS } from '@stockbroker/runtime';

export const OUTCOMES = ['accepted', 'invalid', 'conflict', 'unspecified'] as const;
export const COMPLETIONS = ['filled', 'unknown_ticker', 'halted', 'limit_exceeded', 'market_closed', 'other'] as const;

export type ExchangeMetrics = ReturnType<typeof createExchangeMetrics>;

/** What an operator of the exchange watches. */
export function createExchangeMetrics(metrics: Metrics) {
  return {
    submitted: metrics.counter('exchange_orders_submitted_total', 'Orders submitted, by what became of them.', {
      outcome: OUTCOMES,
    }),
    completed: metrics.counter('exchange_orders_completed_total', 'Orders completed, by outcome.', { outcome: COMPLETIONS }),
    reports: metrics.counter('exchange_reports_total', 'Reports sent, by result; a failed one is sent again.', {
      result: ['delivered', 'failed'],
    }),
    acceptBatchSize: metrics.histogram('exchange_accept_batch_size', 'Orders accepted in one transaction.', {
      buckets: SIZE_BUCKETS,
    }),
    reportBatchSize: metrics.histogram('exchange_report_batch_size', 'Reports in one message.', { buckets: SIZE_BUCKETS }),
    refused: metrics.counter('server_refused_total', 'Connections and requests ended for breaking a limit', { why: REFUSED }),
    callSeconds: metrics.histogram('exchange_call_seconds', 'Duration of calls.', { labels: ['method', 'code'] }),
  };
}
