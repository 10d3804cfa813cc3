import { randomUUID } from 'node:crypto';
import { natsVariables } from '@stockbroker/bus';
import { callbackUrlVariable, exchangeVariables } from '@stockbroker/exchange-client';
import { marketHoursVariables } from '@stockbroker/market-hours';
import { type AppConfig, integer, oneOf, text } from '@stockbroker/runtime';
import { storeVariables } from '@stockbroker/store';

export const variables = {
  ...storeVariables,
  ...natsVariables,
  ...exchangeVariables,
  ...callbackUrlVariable,
  WORKER_NAME: text('First part of the worker’s id; a random part follows, so a restarted worker is a new one.', {
    default: 'worker',
  }),
  CLUSTER_SIZE: oneOf('Workers responsible for a partition: one leads, the others stand by.', ['3', '5'], { default: '3' }),
  LEASE_TTL_MS: integer(
    'Lifetime of a lease: the partitions of a killed worker are free after this long.',
    { min: 1_000, max: 60_000 },
    { default: '3000' },
  ),
  SWEEP_MS: integer(
    'How often the database is searched for open trades whose wake-up was lost.',
    { min: 50, max: 60_000 },
    { default: '2000' },
  ),
  MAX_LANES: integer(
    'Customers of one partition whose trades are worked on at once.',
    { min: 1, max: 100_000 },
    { default: '2000' },
  ),
  MAX_STARTING_LANES: integer(
    'Customers whose trades a worker starts on at once at the open and after a takeover; the others follow as the trades of the first are sent.',
    { min: 1, max: 10_000 },
    { default: '512' },
  ),
  MAX_EXCHANGE_OUTAGE_MS: integer(
    'While the exchange is unreachable, trades stay placed; once it has been unreachable for this long without a break, those never sent are rejected EXCHANGE_UNAVAILABLE.',
    { min: 100, max: 86_400_000 },
    { default: '60000' },
  ),
  MAX_PLACED_WAIT_MS: integer(
    'How long a trade may wait for the broker during the session, counted from when it became its customer’s oldest; then it is rejected WAITED_TOO_LONG.',
    { min: 100, max: 86_400_000 },
    { default: '60000' },
  ),
  MAX_RESEND_AGE_MS: integer(
    'An order that the exchange does not have is sent again up to this long after it was marked executed, within the same session; later it is held for an operator.',
    { min: 100, max: 86_400_000 },
    { default: '60000' },
  ),
  ASK_AFTER_MS: integer(
    'How long a sent order may be without news before the worker asks the database and the exchange about it.',
    { min: 50, max: 3_600_000 },
    { default: '5000' },
  ),
  ...marketHoursVariables,
};

export type WorkerConfig = AppConfig<typeof variables>;

/** NATS subjects and keys allow letters, digits, - and _ only. */
export function workerId(config: WorkerConfig): string {
  return `${config.WORKER_NAME.replaceAll(/[^A-Za-z0-9_-]/g, '-').slice(0, 60)}-${randomUUID().slice(0, 8)}`;
}
