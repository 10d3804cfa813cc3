import { RpcChannel, type RpcClient } from '@stockbroker/rpc';
import { TradingServiceDefinition } from '@stockbroker/rpc/stockbroker';
import { CALL_TIMEOUT_MS } from './patience.ts';

export type TradingClient = RpcClient<typeof TradingServiceDefinition> & { close(): void };

/** A customer's client of one gateway. */
export function tradingClient(address: string, token: string): TradingClient {
  const channel = new RpcChannel(address, { authorization: `Bearer ${token}` });
  return Object.assign(channel.client(TradingServiceDefinition, CALL_TIMEOUT_MS), { close: () => channel.close() });
}
