import { type ConfigOf, integer, type Variable } from './config.ts';

/** The limits of a server that unauthenticated clients can reach. Names without the app's prefix. */
const LIMITS = {
  MAX_CONNECTIONS: integer(
    'Connections open on each port; one more replaces the oldest on which no call has succeeded yet.',
    { min: 10, max: 1_000_000 },
    { default: '10000' },
  ),
  MAX_CALLS_PER_CONNECTION: integer(
    'gRPC calls at once on one connection; further ones wait at the client.',
    { min: 1, max: 100_000 },
    { default: '1000' },
  ),
  MAX_STREAMS: integer(
    'Streaming calls open at once; one more is answered RESOURCE_EXHAUSTED.',
    { min: 1, max: 1_000_000 },
    { default: '5000' },
  ),
  REQUEST_TIMEOUT_MS: integer(
    'A request that takes longer than this to arrive is ended, and so is a connection on which nothing arrives.',
    { min: 100, max: 600_000 },
    { default: '10000' },
  ),
  IDLE_TIMEOUT_MS: integer(
    'A connection without calls for this long is closed gracefully.',
    { min: 100, max: 86_400_000 },
    { default: '300000' },
  ),
  STALL_TIMEOUT_MS: integer(
    'A stream whose client reads nothing for this long ends with ABORTED, and the client should call again. An answer that the client does not read within this time of its end is dropped.',
    { min: 100, max: 600_000 },
    { default: '30000' },
  ),
};

type Limits = typeof LIMITS;
type Prefixed<P extends string> = { [K in keyof Limits as `${P}_${K}`]: Limits[K] };

/** The limits' variables of one app, e.g. GATEWAY_MAX_CONNECTIONS. */
export function serverVariables<const P extends string>(prefix: P): Prefixed<P> {
  return Object.fromEntries(Object.entries(LIMITS).map(([name, variable]) => [`${prefix}_${name}`, variable])) as Prefixed<P>;
}

/** For a connection's longest life; a server whose clients hold long streams leaves it out. */
export function connectionAgeVariable(standard: string): Variable<number> {
  return integer(
    'A gRPC connection of this age is closed gracefully, so that clients spread over new servers; 0: never.',
    { min: 0, max: 86_400_000 },
    { default: standard },
  );
}

/** The limits as the servers take them. */
export function readServerLimits<const P extends string>(prefix: P, config: ConfigOf<Prefixed<P>>) {
  const read = (name: keyof Limits) => (config as Record<string, number>)[`${prefix}_${name}`] as number;
  return {
    maxConnections: read('MAX_CONNECTIONS'),
    maxCallsPerConnection: read('MAX_CALLS_PER_CONNECTION'),
    maxStreams: read('MAX_STREAMS'),
    requestTimeoutMs: read('REQUEST_TIMEOUT_MS'),
    idleTimeoutMs: read('IDLE_TIMEOUT_MS'),
    stallTimeoutMs: read('STALL_TIMEOUT_MS'),
  };
}
