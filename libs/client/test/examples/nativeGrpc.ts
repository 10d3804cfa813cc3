import { BrokerClient } from '@stockbroker/client';
import { RpcChannel } from '@stockbroker/rpc';
import { TradingServiceDefinition } from '@stockbroker/rpc/stockbroker';

export async function cash(address: string, token: string) {
  const channel = new RpcChannel(address, { authorization: `Bearer ${token}` });
  try {
    return (await new BrokerClient({ calls: channel.client(TradingServiceDefinition) }).getAccount()).cash;
  } finally {
    channel.close();
  }
}
