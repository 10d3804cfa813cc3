/**
 * Exponential backoff with full jitter: a random wait between 0 and min(maxMs, baseMs * 2^attempt), but at least `minMs`.
 *
 * @param attempt failures so far, from 0
 * @param random a number in [0, 1)
 * @returns milliseconds to wait
 */
export function backoffMs(
  attempt: number,
  random: number,
  { baseMs = 100, maxMs = 10_000, minMs = 10 }: { baseMs?: number; maxMs?: number; minMs?: number } = {},
): number {
  const ceiling = Math.min(maxMs, baseMs * 2 ** Math.min(attempt, 30));
  return Math.max(minMs, Math.floor(random * ceiling));
}
