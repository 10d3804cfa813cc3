import type { FlowEvent, Observe } from './ports.ts';

type Level = 'debug' | 'info' | 'warn' | 'error';

/** A logger like pino. */
export type FlowLog = Record<Level, (fields: object, message: string) => void>;

/** Logs each event with its trade and customer, and counts it by kind. Every `error` is an alert: docs/alerts.md. */
export function reportTo(log: FlowLog, count: (kind: FlowEvent['kind']) => void): Observe {
  return (event) => {
    count(event.kind);
    log[levelOf(event)](fieldsOf(event), event.kind);
  };
}

const KINDS: Record<FlowEvent['kind'], true> = {
  placed: true,
  retried: true,
  executed: true,
  refused: true,
  submitted: true,
  settled: true,
  duplicate: true,
  canceled: true,
  overdrawn: true,
  'suspect-fill': true,
  adopted: true,
  'sent-back': true,
  held: true,
  quarantined: true,
  'in-doubt': true,
  resubmitted: true,
  'lane-failed': true,
};
/** All kinds of events, for counters that show each from the start. */
export const EVENT_KINDS = Object.keys(KINDS) as FlowEvent['kind'][];

function levelOf({ kind }: FlowEvent): Level {
  switch (kind) {
    case 'placed':
    case 'retried':
    case 'executed':
    case 'refused':
    case 'canceled':
    case 'settled':
      return 'info';
    case 'submitted':
    case 'duplicate':
      return 'debug';
    case 'in-doubt':
    case 'resubmitted':
    case 'sent-back':
    case 'lane-failed':
      return 'warn';
    case 'overdrawn':
    case 'suspect-fill':
    case 'adopted':
    case 'held':
    case 'quarantined':
      return 'error';
  }
}

function fieldsOf(event: FlowEvent): object {
  switch (event.kind) {
    case 'quarantined':
      return { tradeId: event.tradeId, why: event.why };
    case 'lane-failed':
      return { customerId: event.customerId, err: event.error };
    default: {
      const { id: tradeId, customerId, stockTicker, type, quantity, status, rejectCode } = event.trade;
      const trade = { tradeId, customerId, stockTicker, type, quantity, status, ...(rejectCode === null ? {} : { rejectCode }) };
      return { ...trade, ...('why' in event ? { why: event.why } : {}), ...('error' in event ? { err: event.error } : {}) };
    }
  }
}
