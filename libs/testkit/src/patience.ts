/**
 * How much longer a net waits: a deadline that only keeps a test from hanging for ever. `npm test -- --busy` sets it. What a test claims
 * of the broker's own limits never depends on it.
 */
export const PATIENCE = process.env.STOCKBROKER_TESTS_BUSY === '1' ? 5 : 1;

/** Of the calls of the tests' own clients. */
export const CALL_TIMEOUT_MS = 10_000 * PATIENCE;
