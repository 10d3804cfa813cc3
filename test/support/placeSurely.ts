import { RpcError, Status } from '@stockbroker/rpc';
import type { Trade } from '@stockbroker/rpc/stockbroker';
import { type Customer, eventually } from '@stockbroker/testkit';

/** Tries again for as long as the gateway says that it is not known to be done. */
export async function placeSurely(customer: Customer, clientOrderId: string): Promise<Trade> {
  const attempt = async (): Promise<Trade | RpcError> => {
    try {
      return await customer.buys(1, 'AAPL', { clientOrderId });
    } catch (error) {
      if (error instanceof RpcError && error.code === Status.UNAVAILABLE) return error;
      throw error;
    }
  };
  const placed = await eventually(attempt, (answer) => !(answer instanceof RpcError), { what: `trade ${clientOrderId}` });
  if (placed instanceof RpcError) throw placed;
  return placed;
}
