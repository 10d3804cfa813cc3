import { integer, text, type Variables } from '@stockbroker/runtime';

/** What a process that uses NATS can be told. */
export const natsVariables = {
  NATS_URL: text('NATS servers, separated by commas.', { default: 'nats://127.0.0.1:4222' }),
  NATS_REPLICAS: integer(
    'Copies of the wake-up stream and of the leases: 1, or 3 with a cluster.',
    { min: 1, max: 5 },
    { default: '1' },
  ),
} satisfies Variables;
