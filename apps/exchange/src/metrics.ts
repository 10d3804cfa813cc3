import { type Metrics, SIZE_BUCKETS } from '@stockbroker/runtime';

export type ExchangeMetrics = ReturnType<typeof createExchangeMetrics>;

/** What an operator of the exchange watches. */
export function createExchangeMetrics(metrics: Metrics) {
  return {
    submitted: metrics.counter('exchange_orders_submitted_total', 'Orders submitted, by what became of them.', ['outcome']),
    completed: metrics.counter('exchange_orders_completed_total', 'Orders completed, by outcome.', ['outcome']),
    reports: metrics.counter('exchange_reports_total', 'Reports sent, by result; a failed one is sent again.', ['result']),
    acceptBatchSize: metrics.histogram('exchange_accept_batch_size', 'Orders accepted in one transaction.', [], SIZE_BUCKETS),
    reportBatchSize: metrics.histogram('exchange_report_batch_size', 'Reports in one message.', [], SIZE_BUCKETS),
    refused: metrics.counter('server_refused_total', 'Connections and requests ended for breaking a limit', ['why']),
    callSeconds: metrics.histogram('exchange_call_seconds', 'Duration of calls.', ['method', 'code']),
  };
}
