import { type ConfigOf, integer, text, url, type Variables } from '@stockbroker/runtime';
import { DEFAULT_QUOTE_RULES, type QuoteRules } from './screenQuote.ts';

/** The settings of a process that calls the exchange. */
export const exchangeVariables = {
  EXCHANGE_ADDRESS: text('host:port of the exchange.', { default: '127.0.0.1:50060' }),
  EXCHANGE_API_KEY: text('The broker’s key at the exchange.', { secret: true }),
  EXCHANGE_TLS_CA: text('PEM file of the authorities that sign the exchange’s certificate; empty: no TLS.', { default: '' }),
  EXCHANGE_TLS_CERT: text('PEM file of the broker’s certificate, for an exchange that asks for one.', { default: '' }),
  EXCHANGE_TLS_KEY: text('PEM file of the key of EXCHANGE_TLS_CERT, without a passphrase.', { default: '' }),
  EXCHANGE_TLS_SERVER_NAME: text('The name in the exchange’s certificate; empty: the host of EXCHANGE_ADDRESS.', { default: '' }),
  EXCHANGE_TIMEOUT_MS: integer(
    'A call to the exchange that gets no answer within this time is in doubt: the broker asks for the order before it sends it again.',
    { min: 100, max: 60_000 },
    { default: '5000' },
  ),
  QUOTE_WAIT_MS: integer(
    'How long a trade waits for a quote when the exchange gives none, before it is rejected NO_QUOTE.',
    { min: 0, max: 30_000 },
    { default: '1000' },
  ),
  QUOTE_MAX_AGE_MS: integer(
    'A quote whose `quoted_at` is older than this is not used. The exchange restates each quote at least every 5 seconds.',
    { min: 1_000, max: 3_600_000 },
    { default: String(DEFAULT_QUOTE_RULES.maxAgeMs) },
  ),
  QUOTE_MAX_MOVE: integer(
    'Percent. A quote further than this from the stock’s last one is not believed, and operators are alerted; 0: every move is believed.',
    { min: 0, max: 1_000_000 },
    { default: String(DEFAULT_QUOTE_RULES.maxMovePercent) },
  ),
  QUOTE_CONFIRM_MS: integer(
    'How long the exchange must keep quoting a price beyond QUOTE_MAX_MOVE before it is believed.',
    { min: 0, max: 86_400_000 },
    { default: String(DEFAULT_QUOTE_RULES.confirmMs) },
  ),
} satisfies Variables;

/** When a process believes a quote, from its configuration. */
export function quoteRules(
  config: Pick<ConfigOf<typeof exchangeVariables>, 'QUOTE_MAX_AGE_MS' | 'QUOTE_MAX_MOVE' | 'QUOTE_CONFIRM_MS'>,
): QuoteRules {
  return { maxAgeMs: config.QUOTE_MAX_AGE_MS, maxMovePercent: config.QUOTE_MAX_MOVE, confirmMs: config.QUOTE_CONFIRM_MS };
}

export const callbackUrlVariable = {
  CALLBACK_URL: url('Where the exchange reports results: the callback server, or the balancer in front of several.', [
    'http',
    'https',
    'grpc',
  ]),
} satisfies Variables;
