import { RpcChannel, type TlsIdentity } from '@stockbroker/rpc';
import { type JournalEntry, OrderState, Side, SimulatorServiceDefinition } from '@stockbroker/rpc/exchange';
import { readTables, type Tables } from '@stockbroker/store';
import { openDatabase } from '@stockbroker/store/database';
import { parseUsd } from '@stockbroker/trading';
import type { JournalOrder } from './evidence.ts';

const STATEMENT_TIMEOUT_MS = 60_000;

export interface EvidenceSources {
  databaseUrl: string;
  exchange: { address: string; apiKey: string; tls?: TlsIdentity | undefined };
  /** A customer about whom nothing is to be proven. */
  without?: string;
}

/** The tables and the exchange's journal as they are now. */
export async function readEvidence(sources: EvidenceSources): Promise<{ tables: Tables; journal: JournalOrder[] }> {
  const options = { poolSize: 2, statementTimeoutMs: STATEMENT_TIMEOUT_MS, onConnectionError: () => {} };
  const db = openDatabase({ url: sources.databaseUrl, ...options });
  try {
    return {
      tables: without(sources.without, await readTables(db)),
      journal: (await readJournal(sources.exchange)).map(toJournalOrder),
    };
  } finally {
    await db.$disconnect();
  }
}

function without(customerId: string | undefined, { trades, balances, ...tables }: Tables): Tables {
  const others = <T extends { customerId: string }>(rows: T[]) => rows.filter((row) => row.customerId !== customerId);
  return { ...tables, trades: others(trades), balances: others(balances) };
}

async function readJournal({ address, apiKey, tls }: EvidenceSources['exchange']): Promise<JournalEntry[]> {
  const channel = new RpcChannel(address, { authorization: `Bearer ${apiKey}` }, tls);
  try {
    const pages = await Array.fromAsync(channel.client(SimulatorServiceDefinition).listOrders({}, { timeoutMs: 60_000 }));
    return pages.flatMap((page) => page.entries);
  } finally {
    channel.close();
  }
}

function toJournalOrder({ sequence, order, report }: JournalEntry): JournalOrder {
  const filled = report?.state === OrderState.ORDER_STATE_FILLED;
  const rejected = report?.state === OrderState.ORDER_STATE_REJECTED;
  return {
    sequence,
    orderId: order?.clientOrderId ?? '',
    stockTicker: order?.ticker ?? '',
    type: order?.side === Side.SIDE_BUY ? 'buy' : 'sell',
    quantity: order?.quantity ?? 0,
    limitPrice: parseUsd(order?.limitPrice ?? ''),
    attempt: order?.attempt ?? 0,
    state: filled ? 'filled' : rejected ? 'rejected' : 'open',
    price: filled ? parseUsd(report.price) : null,
    executionId: filled ? report.executionId : null,
    executedAtMs: report?.executedAt?.getTime() ?? null,
  };
}
