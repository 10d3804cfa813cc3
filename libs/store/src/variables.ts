import { integer, url, type Variables } from '@stockbroker/runtime';
import { DEFAULT_MAX_OPEN_TRADES } from './insertTrades.ts';
import { MOST_OPEN_TRADES } from './openTrades.ts';
import { DEFAULT_LOCK_TIMEOUT_MS } from './pool.ts';

/** The settings of a process that uses the database. */
export const storeVariables = {
  DATABASE_URL: url(
    'PostgreSQL database, version 16 or newer: the server itself, or a pooler in session mode.',
    ['postgresql', 'postgres'],
    { secret: true },
  ),
  DATABASE_POOL: integer(
    'Connections of this process; a fifth of them, and at least one, is reserved for statements that only read.',
    { min: 2, max: 100 },
    { default: '10' },
  ),
  STATEMENT_TIMEOUT_MS: integer(
    'A statement that takes longer than this is given up.',
    { min: 100, max: 600_000 },
    { default: '5000' },
  ),
  LOCK_TIMEOUT_MS: integer(
    'A statement that waits longer than this for another transaction’s lock fails; the customer whose row is locked is retried apart from the others.',
    { min: 10, max: 60_000 },
    { default: String(DEFAULT_LOCK_TIMEOUT_MS) },
  ),
  BATCH_ROWS: integer('Most rows in one statement.', { min: 1, max: 1_000 }, { default: '256' }),
  QUEUE_ROWS: integer(
    'Most rows of one kind that wait for their statement; one more is refused RESOURCE_EXHAUSTED.',
    { min: 1, max: 1_000_000 },
    { default: '10000' },
  ),
  MAX_OPEN_TRADES: integer(
    'Most open trades of one customer; one more is refused TOO_MANY_OPEN_TRADES.',
    { min: 1, max: MOST_OPEN_TRADES },
    { default: String(DEFAULT_MAX_OPEN_TRADES) },
  ),
  PARTITIONS: integer(
    'Number of partitions of the customers; must be the number with which the database was created.',
    { min: 1, max: 10_000 },
    { default: '100' },
  ),
} satisfies Variables;
