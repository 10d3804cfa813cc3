/** For gateways whose clients are all on one machine, and do as much as they can. */
export const NO_CALL_LIMITS = {
  GATEWAY_CUSTOMER_CALLS_PER_SECOND: '0',
  GATEWAY_CUSTOMER_STREAMS: '0',
  GATEWAY_ADDRESS_CALLS_PER_SECOND: '0',
  GATEWAY_ADDRESS_STREAMS: '0',
};
