import { natsVariables } from '@stockbroker/bus';
import { exchangeVariables } from '@stockbroker/exchange-client';
import { type AppConfig, connectionAgeVariable, integer, list, serverVariables, text } from '@stockbroker/runtime';
import { storeVariables } from '@stockbroker/store';
import { authVariables } from './identity/variables.ts';
import { limitVariables } from './limits/variables.ts';

export const variables = {
  ...storeVariables,
  ...natsVariables,
  ...exchangeVariables,
  GATEWAY_HOST: text('Address to listen on.', { default: '127.0.0.1' }),
  GATEWAY_PORT: integer('gRPC port; 0 takes a free one.', { min: 0, max: 65_535 }, { default: '50051' }),
  GATEWAY_WEB_PORT: integer(
    'Port of gRPC-Web and JSON over HTTP; 0 takes a free one.',
    { min: 0, max: 65_535 },
    { default: '50052' },
  ),
  GATEWAY_WEB_ORIGINS: list('Origins whose pages may call the web port, e.g. https://app.example.com; empty: none.', {
    default: '',
  }),
  GATEWAY_WEB_ROOT: text('Folder of the built trading page (apps/web/dist), which the web port then serves; empty: no page.', {
    default: '',
  }),
  GATEWAY_WEB_CLIENT_ID: text('The trading page’s client id at the issuer, where its customers sign in.', {
    default: 'stockbroker-web',
  }),
  GATEWAY_WEB_SIGN_IN_ORIGINS: list(
    'Origins that the trading page may call to sign in, in addition to the issuer’s own: those of its token_endpoint and revocation_endpoint.',
    { default: '' },
  ),
  GATEWAY_TLS_CERT: text(
    'PEM file of both ports’ certificate, followed by its intermediate certificates; read again when it changes; empty: no TLS.',
    { default: '' },
  ),
  GATEWAY_TLS_KEY: text('PEM file of the key of GATEWAY_TLS_CERT, without a passphrase.', { default: '' }),
  GATEWAY_MAX_BYTES: integer('Largest request.', { min: 1_024, max: 4_194_304 }, { default: '65536' }),
  GATEWAY_MAX_IN_FLIGHT: integer(
    'Calls worked on at once; one more is answered RESOURCE_EXHAUSTED.',
    { min: 1, max: 100_000 },
    { default: '10000' },
  ),
  GATEWAY_PATIENCE_MS: integer(
    'While the database is unavailable, a call waits this long for it, or until shortly before its deadline; then it is answered UNAVAILABLE.',
    { min: 0, max: 60_000 },
    { default: '5000' },
  ),
  ...serverVariables('GATEWAY'),
  GATEWAY_MAX_CONNECTION_AGE_MS: connectionAgeVariable('1800000'),
  ...limitVariables,
  ...authVariables,
};

export type GatewayConfig = AppConfig<typeof variables>;
