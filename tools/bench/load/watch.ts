import { RpcChannel } from '@stockbroker/rpc';
import { TradingServiceDefinition } from '@stockbroker/rpc/stockbroker';
import type { BenchCustomer } from './trading.ts';

export interface Watching {
  /** Messages that came so far, over all streams. */
  told(): number;
  /** @throws when a stream had ended by itself */
  close(): Promise<void>;
}

/** A server takes it amiss when a thousand calls of one connection are cancelled at once. */
const STREAMS_A_CHANNEL = 100;

/** A WatchTrades stream for each customer; resolves when each has told how everything stands. */
export async function watchAll(gateway: string, customers: readonly BenchCustomer[]): Promise<Watching> {
  const channels = Array.from({ length: Math.ceil(customers.length / STREAMS_A_CHANNEL) }, () => new RpcChannel(gateway));
  const clients = channels.map((channel) => channel.client(TradingServiceDefinition));
  const abort = new AbortController();
  let told = 0;
  const follow = async ({ token }: BenchCustomer, i: number, onFirst: () => void) => {
    const options = { headers: { authorization: `Bearer ${token}` }, signal: abort.signal };
    try {
      for await (const _message of clients[i % clients.length]?.watchTrades({}, options) ?? []) {
        told += 1;
        onFirst();
      }
    } catch (error) {
      if (!abort.signal.aborted) throw error;
    }
    if (!abort.signal.aborted) throw new Error('a stream ended by itself');
  };
  const streams: Promise<void>[] = [];
  const firsts = customers.map(
    (customer, i) =>
      new Promise<void>((resolve, reject) => streams.push(follow(customer, i, resolve).catch((error) => reject(error)))),
  );
  await Promise.all(firsts);
  return {
    told: () => told,
    close: async () => {
      abort.abort();
      await Promise.all(streams);
      for (const channel of channels) channel.close();
    },
  };
}
