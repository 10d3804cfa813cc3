import { RpcError, Status } from '@stockbroker/rpc';
import { OverloadedError } from '@stockbroker/runtime';
import {
  ClientOrderIdUsedError,
  NoAccountError,
  NoTradeError,
  NotCancelableError,
  StoreLockedError,
  StoreUnavailableError,
  TooManyOpenTradesError,
} from '@stockbroker/trade-flow';
import { isTicker, type Violation } from '@stockbroker/trading';

const RETRY_AFTER_MS = 500;

/** Every error that a client can get, in one place. What is not expected is INTERNAL, and told to `onUnexpected` alone. */
export function toRpcError(error: unknown, onUnexpected: (error: unknown) => void): RpcError {
  if (error instanceof RpcError) return error;
  if (error instanceof ClientOrderIdUsedError) {
    const metadata = { order_id: error.existing.id, client_order_id: error.existing.clientOrderId };
    return new RpcError(
      Status.ALREADY_EXISTS,
      error.message,
      { info: { reason: 'CLIENT_ORDER_ID_USED', metadata } },
      { cause: error },
    );
  }
  if (error instanceof NoAccountError) {
    return new RpcError(Status.NOT_FOUND, error.message, { info: { reason: 'NO_ACCOUNT' } }, { cause: error });
  }
  if (error instanceof NoTradeError) return new RpcError(Status.NOT_FOUND, error.message, {}, { cause: error });
  if (error instanceof NotCancelableError) {
    const { id, status } = error.trade;
    const info = { reason: status === 'executed' ? 'ALREADY_EXECUTED' : 'ALREADY_ENDED', metadata: { order_id: id, status } };
    return new RpcError(Status.FAILED_PRECONDITION, error.message, { info }, { cause: error });
  }
  if (error instanceof TooManyOpenTradesError) {
    const metadata = { open: String(error.open), limit: String(error.limit) };
    const details = { info: { reason: 'TOO_MANY_OPEN_TRADES', metadata } };
    return new RpcError(Status.FAILED_PRECONDITION, error.message, details, { cause: error });
  }
  if (error instanceof OverloadedError) {
    const details = { info: { reason: 'OVERLOADED' }, retryAfterMs: error.retryAfterMs };
    return new RpcError(Status.RESOURCE_EXHAUSTED, 'too many requests are waiting: try again shortly', details, { cause: error });
  }
  if (error instanceof StoreLockedError) {
    const details = { info: { reason: 'ACCOUNT_BUSY' }, retryAfterMs: RETRY_AFTER_MS };
    const message = 'another operation holds the account: try again with the same client_order_id';
    return new RpcError(Status.UNAVAILABLE, message, details, { cause: error });
  }
  if (error instanceof StoreUnavailableError) {
    const details = { info: { reason: 'DATABASE_UNAVAILABLE' }, retryAfterMs: RETRY_AFTER_MS };
    const message = 'not known to be done: try again with the same client_order_id';
    return new RpcError(Status.UNAVAILABLE, message, details, { cause: error });
  }
  onUnexpected(error);
  return new RpcError(Status.INTERNAL, 'something unexpected went wrong; it has been logged', {}, { cause: error });
}

export function invalidArgument(violations: Pick<Violation, 'field' | 'description' | 'reason'>[]): RpcError {
  const message = violations.map(({ field, description }) => `${field} ${description}`).join('; ');
  const reason = violations.find((violation) => violation.reason !== undefined)?.reason;
  return new RpcError(Status.INVALID_ARGUMENT, message, {
    violations: violations.map(({ field, description }) => ({ field, description })),
    ...(reason === undefined ? {} : { info: { reason } }),
  });
}

export function invalidField(field: string, description: string): RpcError {
  return new RpcError(Status.INVALID_ARGUMENT, `${field} ${description}`, { violations: [{ field, description }] });
}

/** @throws RpcError INVALID_ARGUMENT */
export function checkTicker(text: string, field: string): void {
  if (!isTicker(text)) throw invalidField(field, 'must be a ticker in capital letters, e.g. AAPL or BRK.B');
}
