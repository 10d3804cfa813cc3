import { BadRequest, ErrorInfo, RetryInfo } from '../../libs/rpc/src/generated/google/rpc/error_details.ts';
import { Status } from '../../libs/rpc/src/generated/google/rpc/status.ts';

/** One detail of an error, as it came. */
export interface Detail {
  /** e.g. "google.rpc.ErrorInfo". */
  type: string;
  value: Uint8Array;
}

/** @param bytes a google.rpc.Status */
export function readStatus(bytes: Uint8Array): Detail[] {
  return Status.decode(bytes).details.map(({ typeUrl, value }) => ({ type: typeUrl.slice(typeUrl.lastIndexOf('/') + 1), value }));
}

export interface ReadDetails {
  violations?: { field: string; description: string }[];
  reason?: string;
  figures?: Record<string, string>;
  retryAfterMs?: number;
}

export function readDetails(details: readonly Detail[]): ReadDetails {
  const read: ReadDetails = {};
  for (const { type, value } of details) {
    if (type === 'google.rpc.BadRequest') {
      const { fieldViolations } = BadRequest.decode(value);
      read.violations = fieldViolations.map(({ field, description }) => ({ field, description }));
    } else if (type === 'google.rpc.ErrorInfo') {
      const { reason, metadata } = ErrorInfo.decode(value);
      Object.assign(read, { reason, figures: metadata });
    } else if (type === 'google.rpc.RetryInfo') {
      const { retryDelay } = RetryInfo.decode(value);
      read.retryAfterMs = Number(retryDelay?.seconds ?? 0n) * 1_000 + (retryDelay?.nanos ?? 0) / 1e6;
    }
  }
  return read;
}
