import { parseWebhookSecret } from '@stockbroker/rpc';
import { Behaviour } from '@stockbroker/rpc/exchange';
import { type ConfigOf, fraction, integer, oneOf, serverVariables, text, type Variables } from '@stockbroker/runtime';

const milliseconds = { min: 0, max: 600_000 };
const ON_OFF = ['on', 'off'] as const;

/** The exchange's settings, from its environment. */
export const exchangeVariables = {
  EXCHANGE_HOST: text('Address of the gRPC server.', { default: '127.0.0.1' }),
  EXCHANGE_PORT: integer('Port of the gRPC server; 0 takes a free one.', { min: 0, max: 65_535 }, { default: '50060' }),
  EXCHANGE_DATA_DIR: text('Folder of the journal; created when it does not exist.', { default: '.stockbroker/exchange' }),
  EXCHANGE_API_KEY: text('Key that each call must carry as `authorization: Bearer <key>`.', { secret: true }),
  EXCHANGE_CALLBACK_SECRET: {
    doc: 'Secret that signs callbacks (Standard Webhooks).',
    values: 'whsec_ and 24 to 64 bytes in base64',
    default: undefined,
    secret: true,
    parse: parseWebhookSecret,
  },

  EXCHANGE_SERVER_TLS_CERT: text('PEM file of the server’s certificate; read again when it changes; empty: no TLS.', {
    default: '',
  }),
  EXCHANGE_SERVER_TLS_KEY: text('PEM file of the key of EXCHANGE_SERVER_TLS_CERT, without a passphrase.', { default: '' }),
  EXCHANGE_SERVER_TLS_CLIENT_CA: text(
    'PEM file of the authorities that sign clients’ certificates; empty: no client certificate is required.',
    { default: '' },
  ),

  EXCHANGE_MAX_REQUEST_BYTES: integer('Largest request.', { min: 1_024, max: 64 * 1024 * 1024 }, { default: '4194304' }),
  EXCHANGE_MAX_IN_FLIGHT: integer(
    'Calls worked on at once; one more is answered RESOURCE_EXHAUSTED.',
    { min: 1, max: 100_000 },
    { default: '1000' },
  ),
  EXCHANGE_MAX_OPEN_ORDERS: integer(
    'Orders open at once; submitting one more is answered RESOURCE_EXHAUSTED.',
    { min: 1, max: 10_000_000 },
    { default: '200000' },
  ),
  EXCHANGE_MAX_QUOTE_STREAMS: integer('Quote streams open at once.', { min: 1, max: 10_000 }, { default: '100' }),

  ...serverVariables('EXCHANGE'),

  EXCHANGE_CALLBACK_TIMEOUT_MS: integer('How long one callback may take.', { min: 10, max: 600_000 }, { default: '10000' }),
  EXCHANGE_CALLBACK_BACKOFF_BASE_MS: integer(
    'Longest wait after the first failure of a callback; it doubles with each further one, and the actual wait is random.',
    { min: 1, max: 600_000 },
    { default: '100' },
  ),
  EXCHANGE_CALLBACK_BACKOFF_MAX_MS: integer(
    'Longest wait between two attempts to deliver a callback.',
    { min: 1, max: 600_000 },
    { default: '5000' },
  ),

  EXCHANGE_TICK_MS: integer(
    'Time between two price moves of the market; 0: prices do not move.',
    { min: 0, max: 60_000 },
    { default: '250' },
  ),
  EXCHANGE_RESTATE_MS: integer(
    'How often unchanged quotes are restated; 0: never, which breaks the exchange’s promise.',
    { min: 0, max: 60_000 },
    { default: '2000' },
  ),
  EXCHANGE_SEED: integer('Seed of every random choice.', { min: 0, max: 4_294_967_295 }, { default: '1' }),

  EXCHANGE_SIMULATOR_SERVICE: oneOf('on: serves SimulatorService, which sets the switches below at run time.', ON_OFF, {
    default: 'off',
  }),
  EXCHANGE_MANUAL: oneOf('on: orders stay open until SimulatorService.CompleteOrder.', ON_OFF, { default: 'off' }),
  EXCHANGE_LATENCY_MIN_MS: integer('Shortest time in which an order completes.', milliseconds, { default: '20' }),
  EXCHANGE_LATENCY_MAX_MS: integer('Longest time in which an order completes.', milliseconds, { default: '80' }),
  EXCHANGE_REJECT_RATE: fraction('Share of orders rejected at random.', { default: '0' }),
  EXCHANGE_DUPLICATE_RATE: fraction('Share of reports sent twice.', { default: '0' }),
  EXCHANGE_LATE_RATE: fraction('Share of reports held back by EXCHANGE_LATE_MS.', { default: '0' }),
  EXCHANGE_LATE_MS: integer('How long a late report is held back.', milliseconds, { default: '1000' }),
  EXCHANGE_REORDER_RATE: fraction('Share of report batches sent in a shuffled order.', { default: '0' }),
  EXCHANGE_DROP_RATE: fraction('Share of reports never sent, although promised.', { default: '0' }),
  EXCHANGE_CONFLICT_RATE: fraction('Share of reports followed by one that contradicts it.', { default: '0' }),
  EXCHANGE_REPEAT_EXECUTION_RATE: fraction('Share of fills first reported with another fill’s execution id, then correctly.', {
    default: '0',
  }),
  EXCHANGE_BREAK_LIMIT_RATE: fraction('Share of fills at a price beyond the order’s limit.', { default: '0' }),
  EXCHANGE_FREEZE_QUOTES: oneOf('on: quotes neither change nor are restated, although heartbeats are sent.', ON_OFF, {
    default: 'off',
  }),
  EXCHANGE_UNAVAILABLE: oneOf('on: calls are answered UNAVAILABLE.', ON_OFF, { default: 'off' }),
  EXCHANGE_SWALLOW_ANSWERS: oneOf('on: SubmitOrders accepts the orders but never answers.', ON_OFF, { default: 'off' }),
} satisfies Variables;

type ExchangeConfig = ConfigOf<typeof exchangeVariables>;

/** The behaviour that the exchange starts with. */
export function initialBehaviour(config: ExchangeConfig): Behaviour {
  return Behaviour.fromPartial({
    manual: config.EXCHANGE_MANUAL === 'on',
    latencyMinMs: config.EXCHANGE_LATENCY_MIN_MS,
    latencyMaxMs: config.EXCHANGE_LATENCY_MAX_MS,
    rejectRate: config.EXCHANGE_REJECT_RATE,
    duplicateRate: config.EXCHANGE_DUPLICATE_RATE,
    lateRate: config.EXCHANGE_LATE_RATE,
    lateMs: config.EXCHANGE_LATE_MS,
    reorderRate: config.EXCHANGE_REORDER_RATE,
    dropRate: config.EXCHANGE_DROP_RATE,
    conflictRate: config.EXCHANGE_CONFLICT_RATE,
    repeatExecutionRate: config.EXCHANGE_REPEAT_EXECUTION_RATE,
    breakLimitRate: config.EXCHANGE_BREAK_LIMIT_RATE,
    freezeQuotes: config.EXCHANGE_FREEZE_QUOTES === 'on',
    unavailable: config.EXCHANGE_UNAVAILABLE === 'on',
    swallowAnswers: config.EXCHANGE_SWALLOW_ANSWERS === 'on',
  });
}
