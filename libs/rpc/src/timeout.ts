import { RpcError, Status } from './rpcError.ts';

/** Nothing is waited for any longer, whatever a client says. Node's timers end at once when they are set for more than 24.8 days. */
export const MOST_TIMEOUT_MS = 24 * 3_600_000;
/** The same for a header of gRPC's. */
const MOST_TIMEOUT = '24H';

const MS_OF: Record<string, number> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };

/**
 * How long a client of gRPC or gRPC-Web waits, milliseconds, a day at most.
 *
 * @throws RpcError INVALID_ARGUMENT when it is not as gRPC has it, with eight digits at most; DEADLINE_EXCEEDED when it is over
 */
export function readGrpcTimeout(text: string): number {
  const [, amount, unit = ''] = /^(\d{1,8})([HMSmun])$/.exec(text) ?? [];
  if (amount === undefined) throw new RpcError(Status.INVALID_ARGUMENT, 'grpc-timeout must be like 500m, 5S or 1M');
  return bounded(Number(amount) * (MS_OF[unit] ?? 0));
}

/** The same for a client of Connect's JSON. @throws RpcError */
export function readConnectTimeout(text: string): number {
  if (!/^\d{1,10}$/.test(text))
    throw new RpcError(Status.INVALID_ARGUMENT, 'connect-timeout-ms must be a number of milliseconds');
  return bounded(Number(text));
}

/** The header as grpc-js may read it. @throws RpcError like `readGrpcTimeout` */
export function boundedGrpcTimeout(text: string): string {
  return readGrpcTimeout(text) === MOST_TIMEOUT_MS ? MOST_TIMEOUT : text;
}

/** What has no time at all is not begun: its answer would say that it is late, although it was done. */
function bounded(ms: number): number {
  if (ms < 1) throw new RpcError(Status.DEADLINE_EXCEEDED, 'the deadline has passed: nothing was done');
  return Math.min(ms, MOST_TIMEOUT_MS);
}
