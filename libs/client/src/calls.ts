import type { TradingServiceDefinition } from '@stockbroker/rpc/stockbroker';
import type { MethodDefinition, PartialRequestOf, ResponseOf } from '@stockbroker/rpc/wire';

export interface CallOptions {
  /** How long to wait, milliseconds; past it the call fails with DEADLINE_EXCEEDED. Streams have none unless given. */
  timeoutMs?: number;
  signal?: AbortSignal;
}

type CallOf<M extends MethodDefinition> = M['responseStream'] extends true
  ? (request: PartialRequestOf<M>, options?: CallOptions) => AsyncIterable<ResponseOf<M>>
  : (request: PartialRequestOf<M>, options?: CallOptions) => Promise<ResponseOf<M>>;

/**
 * The methods of the broker over some transport: `webCalls` for browsers and Node alike, or what RpcChannel of @stockbroker/rpc makes
 * for gRPC in Node.
 */
export type TradingCalls = {
  [K in keyof (typeof TradingServiceDefinition)['methods']]: CallOf<(typeof TradingServiceDefinition)['methods'][K]>;
};
