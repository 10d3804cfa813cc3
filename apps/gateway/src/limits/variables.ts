import { type ConfigOf, integer, oneOf } from '@stockbroker/runtime';
import type { Limits } from '../admission.ts';

const RATE = { min: 0, max: 1_000_000 };
const HOPS = { min: 0, max: 10 };

/** How many calls and streams a gateway allows each customer and each address. */
export const limitVariables = {
  GATEWAY_CUSTOMER_CALLS_PER_SECOND: integer(
    'Sustained rate of one customer’s calls; more are answered RESOURCE_EXHAUSTED. 0: no limit.',
    RATE,
    { default: '50' },
  ),
  GATEWAY_CUSTOMER_BURST_CALLS: integer(
    'Calls that one customer may make at once after a pause.',
    { min: 1, max: RATE.max },
    { default: '100' },
  ),
  GATEWAY_CUSTOMER_STREAMS: integer('Streams that one customer may have open. 0: no limit.', RATE, { default: '20' }),
  GATEWAY_ADDRESS_CALLS_PER_SECOND: integer(
    'Sustained rate of calls from one address (IPv6: one /64) whose token has not been verified yet; a call whose token is refused counts as ten, one whose token is valid as none. 0: no limit.',
    RATE,
    { default: '500' },
  ),
  GATEWAY_ADDRESS_BURST_CALLS: integer(
    'Calls that one address may make at once with tokens that have not been verified yet.',
    { min: 1, max: RATE.max },
    { default: '1000' },
  ),
  GATEWAY_ADDRESS_STREAMS: integer(
    'Streams that need no token (health watches) that one address may have open. 0: no limit.',
    RATE,
    { default: '200' },
  ),
  GATEWAY_TRUSTED_HOPS: integer(
    'HTTP proxies in front of the gRPC port, each of which appends its caller’s address to X-Forwarded-For; 0: the connection’s address counts. For TCP balancers see GATEWAY_PROXY_PROTOCOL.',
    HOPS,
    { default: '0' },
  ),
  GATEWAY_WEB_TRUSTED_HOPS: integer('The same as GATEWAY_TRUSTED_HOPS, for the web port.', HOPS, { default: '0' }),
  GATEWAY_PROXY_PROTOCOL: oneOf(
    'v2: each connection to both ports begins with a header of the PROXY protocol, version 2 (HAProxy’s send-proxy-v2), whose address counts; a connection without one is reset. Only for ports that nothing except the balancer can reach.',
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
