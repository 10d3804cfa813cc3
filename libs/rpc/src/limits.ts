import type { ServerOptions } from '@grpc/grpc-js';

/** How much of a server its clients can hold, whoever they are. */
export interface ServerLimits {
  /** Connections at once. One more takes the place of the oldest on which no call has succeeded yet. */
  maxConnections: number;
  /** Calls at once on one connection; what is more, the client's library keeps waiting. */
  maxCallsPerConnection: number;
  /** Calls at once that answer with a stream; one more is answered RESOURCE_EXHAUSTED. */
  maxStreams: number;
  /** How long a request may take to arrive, and a new connection to say anything. */
  requestTimeoutMs: number;
  /** A connection without calls for this long is closed in order: the client's library connects again for its next call. */
  idleTimeoutMs: number;
  /** A client that takes nothing of what a stream tells for this long is told to call again. */
  stallTimeoutMs: number;
  /** A connection of this age is closed in order, so that clients spread over new servers, and none holds memory for ever. 0: never. */
  maxConnectionAgeMs: number;
  /** How often an HTTP/2 connection is asked whether its client is still there: one that is cut off without a word never says so. */
  pingAfterMs: number;
  /** How long that answer may take; less than that. */
  pingTimeoutMs: number;
}

export const DEFAULT_LIMITS: ServerLimits = {
  maxConnections: 10_000,
  maxCallsPerConnection: 1_000,
  maxStreams: 5_000,
  requestTimeoutMs: 10_000,
  idleTimeoutMs: 300_000,
  stallTimeoutMs: 30_000,
  maxConnectionAgeMs: 0,
  pingAfterMs: 30_000,
  pingTimeoutMs: 10_000,
};

/** How long the calls of a connection that is closed for its age may still take. */
const AGE_GRACE_MS = 60_000;

export function toServerOptions(limits: ServerLimits, maxRequestBytes: number): ServerOptions {
  return {
    'grpc.max_receive_message_length': maxRequestBytes,
    'grpc.enable_channelz': 0,
    'grpc.max_concurrent_streams': limits.maxCallsPerConnection,
    'grpc.max_connection_idle_ms': limits.idleTimeoutMs,
    'grpc.keepalive_time_ms': limits.pingAfterMs,
    'grpc.keepalive_timeout_ms': limits.pingTimeoutMs,
    ...(limits.maxConnectionAgeMs === 0
      ? {}
      : { 'grpc.max_connection_age_ms': limits.maxConnectionAgeMs, 'grpc.max_connection_age_grace_ms': AGE_GRACE_MS }),
  };
}
