import { type ConfigOf, integer, readConfig, text, type Variable, type Variables } from '@stockbroker/runtime';
import { type NatsUrls, parseNatsUrls } from './natsUrls.ts';

const urls: Variable<NatsUrls> = {
  doc: 'NATS servers: nats://host:4222, or with credentials nats://user:password@host or nats://token@host; tls:// requires TLS.',
  values: 'URLs, separated by commas',
  default: 'nats://127.0.0.1:4222',
  secret: true,
  parse: parseNatsUrls,
};

const prefix: Variable<string> = {
  doc: 'Prefix of all names on NATS; empty: none. Two brokers that share NATS servers need different prefixes.',
  values: 'up to 32 letters, digits, - and _',
  default: '',
  parse: (value) => {
    if (!/^(?:[A-Za-z0-9][A-Za-z0-9_-]{0,31})?$/.test(value)) {
      throw new Error('must be at most 32 letters, digits, - and _, beginning with a letter or a digit');
    }
    return value;
  },
};

/** The settings of a process that uses NATS. */
export const natsVariables = {
  NATS_URL: urls,
  NATS_PREFIX: prefix,
  NATS_CREDS_FILE: text('File of NATS credentials (a JWT and its seed), read at each connection; empty: none.', { default: '' }),
  NATS_CA_FILE: text(
    'PEM file of the authorities that sign the NATS servers’ certificates. Setting it requires TLS; empty: the system’s authorities.',
    {
      default: '',
    },
  ),
  NATS_CERT_FILE: text('PEM file of this process’s own certificate, for NATS servers that ask for one.', { default: '' }),
  NATS_KEY_FILE: text('PEM file of the key of NATS_CERT_FILE.', { default: '' }),
  NATS_REPLICAS: integer(
    'Copies of the wake-up stream and of the leases: 1, or 3 with a cluster. A process that starts with another value changes both.',
    { min: 1, max: 5 },
    { default: '1' },
  ),
} satisfies Variables;

export type NatsConfig = ConfigOf<typeof natsVariables>;

/** The configuration for these servers, with defaults for everything that `env` does not set; for tools. */
export function natsAt(servers: string, env: NodeJS.ProcessEnv = {}): NatsConfig {
  return readConfig('NATS', natsVariables, { ...env, NATS_URL: servers });
}
