import { integer, url, type Variables } from '@stockbroker/runtime';

/** What a process that uses the database can be told. */
export const storeVariables = {
  DATABASE_URL: url('PostgreSQL database.', ['postgresql', 'postgres'], { secret: true }),
  DATABASE_POOL: integer('Connections of this process.', { min: 2, max: 100 }, { default: '10' }),
  STATEMENT_TIMEOUT_MS: integer('A statement that takes longer is given up.', { min: 100, max: 600_000 }, { default: '5000' }),
  BATCH_ROWS: integer('Rows in one statement at most.', { min: 1, max: 1_000 }, { default: '256' }),
  QUEUE_ROWS: integer(
    'Rows of one kind that wait for their statement at most; one more is refused RESOURCE_EXHAUSTED.',
    { min: 1, max: 1_000_000 },
    { default: '10000' },
  ),
  PARTITIONS: integer(
    'Partitions of the customers; must be what the database was created with.',
    { min: 1, max: 10_000 },
    { default: '100' },
  ),
} satisfies Variables;
