import { natsVariables } from '@stockbroker/bus';
import { parseWebhookSecret } from '@stockbroker/rpc';
import { type AppConfig, connectionAgeVariable, integer, serverVariables, text, type Variable } from '@stockbroker/runtime';
import { storeVariables } from '@stockbroker/store';

const callbackSecrets: Variable<Buffer[]> = {
  doc: 'Secrets with which callbacks may be signed: two while one is being replaced.',
  values: 'whsec_…, separated by commas',
  default: undefined,
  secret: true,
  parse: (value) => value.split(',').map((secret) => parseWebhookSecret(secret.trim())),
};

export const variables = {
  ...storeVariables,
  ...natsVariables,
  CALLBACK_SECRETS: callbackSecrets,
  CALLBACK_HOST: text('Address to listen on.', { default: '127.0.0.1' }),
  CALLBACK_HTTP_PORT: integer('Port for callbacks over HTTP; 0 takes a free one.', { min: 0, max: 65_535 }, { default: '50070' }),
  CALLBACK_GRPC_PORT: integer('Port for callbacks over gRPC; 0 takes a free one.', { min: 0, max: 65_535 }, { default: '50071' }),
  CALLBACK_MAX_BYTES: integer('Largest callback.', { min: 1_024, max: 16_777_216 }, { default: '1048576' }),
  CALLBACK_MAX_IN_FLIGHT: integer(
    'Callbacks worked on at once; one more is refused (503 or RESOURCE_EXHAUSTED), and the exchange retries it.',
    { min: 1, max: 10_000 },
    { default: '256' },
  ),
  ...serverVariables('CALLBACK'),
  CALLBACK_MAX_CONNECTION_AGE_MS: connectionAgeVariable('1800000'),
};

export type CallbackConfig = AppConfig<typeof variables>;
