import { integer, text, url, type Variables } from '@stockbroker/runtime';

/** What a process that talks to the exchange can be told. */
export const exchangeVariables = {
  EXCHANGE_ADDRESS: text('host:port of the exchange.', { default: '127.0.0.1:50060' }),
  EXCHANGE_API_KEY: text('The broker’s key at the exchange.', { secret: true }),
  EXCHANGE_TLS_CA: text('PEM file of the authorities that sign the exchange’s certificate; empty: no TLS.', { default: '' }),
  EXCHANGE_TLS_CERT: text('PEM file of the broker’s certificate, for an exchange that asks for one.', { default: '' }),
  EXCHANGE_TLS_KEY: text('PEM file of its key, without a passphrase.', { default: '' }),
  EXCHANGE_TLS_SERVER_NAME: text('The name in the exchange’s certificate; empty: the host of EXCHANGE_ADDRESS.', { default: '' }),
  EXCHANGE_TIMEOUT_MS: integer(
    'A call to the exchange without an answer for this long is in doubt: the order is asked for before it is sent again.',
    { min: 100, max: 60_000 },
    { default: '5000' },
  ),
  QUOTE_WAIT_MS: integer(
    'How long a trade waits for a quote that the exchange does not give, before it is rejected NO_QUOTE.',
    { min: 0, max: 30_000 },
    { default: '1000' },
  ),
} satisfies Variables;

export const callbackUrlVariable = {
  CALLBACK_URL: url('Where the exchange reports results: the callback app, or the balancer before several.', [
    'http',
    'https',
    'grpc',
  ]),
} satisfies Variables;
