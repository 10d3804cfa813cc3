import { formatUsd } from '@stockbroker/trading';
import { type ClientCall, type Evidence, type SeenTrade, tradesIn, type Violation } from './evidence.ts';

/** Trades of a customer that are told when a violation is about no single one. */
const MOST_TRADES = 40;

/** What is known of what a violation is about, in lines: what clients were told, what the exchange noted, what is stored. */
export function historyOf(evidence: Evidence, { customerId, tradeId }: Violation): string[] {
  if (tradeId !== undefined) return [...tradeHistory(evidence, tradeId), ...customerLines(evidence, customerId)];
  const own = evidence.tables.trades.filter((trade) => trade.customerId === customerId);
  const left = own.length > MOST_TRADES ? [`and ${own.length - MOST_TRADES} trades before`] : [];
  return [...customerLines(evidence, customerId), ...left, ...own.slice(-MOST_TRADES).map((trade) => `stored: ${json(trade)}`)];
}

function tradeHistory({ clientLog, journal, tables, lies }: Evidence, tradeId: string): string[] {
  const row = tables.trades.find(({ id }) => id === tradeId);
  const isAbout = (call: ClientCall) =>
    (row !== undefined && call.customerId === row.customerId && call.request?.clientOrderId === row.clientOrderId) ||
    call.orderId === tradeId ||
    tradesIn(call).some(({ orderId }) => orderId === tradeId);
  return [
    ...clientLog.filter(isAbout).map((call) => `client: ${describeCall(call, tradeId)}`),
    ...lies.filter((lie) => lie.tradeId === tradeId).map((lie) => `lie: ${json(lie)}`),
    ...journal.filter(({ orderId }) => orderId === tradeId).map((order) => `exchange: ${json(order)}`),
    ...tables.quarantine.filter((kept) => kept.tradeId === tradeId).map((kept) => `quarantine: ${json(kept)}`),
    row === undefined ? 'stored: nothing' : `stored: ${json(row)}`,
  ];
}

function customerLines({ openings, tables }: Evidence, customerId: string | undefined): string[] {
  return [
    ...openings.filter((opening) => opening.customerId === customerId).map((opening) => `opening: ${json(opening)}`),
    ...tables.balances.filter((row) => row.customerId === customerId).map((row) => `cash: ${json(row)}`),
    ...tables.positions.filter((row) => row.customerId === customerId).map((row) => `shares: ${json(row)}`),
  ];
}

function describeCall(call: ClientCall, tradeId: string): string {
  const { method, gateway, startedMs, endedMs, request, answer } = call;
  const when = `${startedMs.toFixed(0)}–${endedMs.toFixed(0)} ms`;
  const asked =
    request === undefined ? '' : ` ${request.clientOrderId} ${request.type} ${request.quantity} ${request.stockTicker}`;
  const shown = tradesIn(call).find(({ orderId }) => orderId === tradeId);
  const told = answer.kind === 'error' ? `${answer.code} ${answer.reason} ${answer.message}` : shown && describeTrade(shown);
  return `${when} ${method}${asked} at ${gateway}: ${told}`;
}

function describeTrade({ orderId, status, rejectCode, hold, price, executionId }: SeenTrade): string {
  const money = (what: string, amount: bigint | null) => (amount === null ? '' : ` ${what} ${formatUsd(amount)}`);
  return `${orderId} ${status}${rejectCode ? ` ${rejectCode}` : ''}${money('hold', hold)}${money('at', price)}${executionId ? ` as ${executionId}` : ''}`;
}

function json(value: unknown): string {
  return JSON.stringify(value, (_key, part) => (typeof part === 'bigint' ? String(part) : part));
}
