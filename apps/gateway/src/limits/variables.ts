import { type ConfigOf, integer, oneOf } from '@stockbroker/runtime';
import type { Limits } from '../admission.ts';

const RATE = { min: 0, max: 1_000_000 };
const HOPS = { min: 0, max: 10 };

/** How much a gateway does for each customer, and for each address. */
export const limitVariables = {
  GATEWAY_CUSTOMER_CALLS_PER_SECOND: integer(
    'Calls of one customer in the long run; what is more is answered RESOURCE_EXHAUSTED. 0: no limit.',
    RATE,
    { default: '50' },
  ),
  GATEWAY_CUSTOMER_BURST_CALLS: integer(
    'Calls of one customer at once, after a rest.',
    { min: 1, max: RATE.max },
    { default: '100' },
  ),
  GATEWAY_CUSTOMER_STREAMS: integer('Streams of one customer at once. 0: no limit.', RATE, { default: '20' }),
  GATEWAY_ADDRESS_CALLS_PER_SECOND: integer(
    'Calls from one address (IPv6: from one /64) whose token is not known yet; a refused one counts as ten, a good one not at all. 0: no limit.',
    RATE,
    { default: '500' },
  ),
  GATEWAY_ADDRESS_BURST_CALLS: integer('Calls from one address at once.', { min: 1, max: RATE.max }, { default: '1000' }),
  GATEWAY_ADDRESS_STREAMS: integer(
    'Streams to one address at once that need no token: watches of the health. 0: no limit.',
    RATE,
    { default: '200' },
  ),
  GATEWAY_TRUSTED_HOPS: integer(
    'Proxies before the gRPC port that speak HTTP, and each add the address that called them to X-Forwarded-For; 0: the connection’s address counts. For balancers of TCP connections: GATEWAY_PROXY_PROTOCOL.',
    HOPS,
    { default: '0' },
  ),
  GATEWAY_WEB_TRUSTED_HOPS: integer('The same before the web port.', HOPS, { default: '0' }),
  GATEWAY_PROXY_PROTOCOL: oneOf(
    'v2: each connection to both ports begins with a header of the PROXY protocol, version 2 (HAProxy’s send-proxy-v2), and has the address in it; one without is reset. Only for ports that nobody but the balancer can reach.',
    ['off', 'v2'],
    { default: 'off' },
  ),
};

export function readLimits(config: ConfigOf<typeof limitVariables>): { customer: Limits; address: Limits } {
  return {
    customer: {
      callsPerSecond: config.GATEWAY_CUSTOMER_CALLS_PER_SECOND,
      burstCalls: config.GATEWAY_CUSTOMER_BURST_CALLS,
      streams: config.GATEWAY_CUSTOMER_STREAMS,
    },
    address: {
      callsPerSecond: config.GATEWAY_ADDRESS_CALLS_PER_SECOND,
      burstCalls: config.GATEWAY_ADDRESS_BURST_CALLS,
      streams: config.GATEWAY_ADDRESS_STREAMS,
    },
  };
}
