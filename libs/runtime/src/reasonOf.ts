/** Causes of causes. */
const MAX_DEPTH = 5;

/**
 * What an error says, for people, on one line; never nothing. A connection that was tried at several addresses fails with an
 * AggregateError whose own message is empty, and `fetch` with "fetch failed", with the reason as its cause.
 */
export function reasonOf(error: unknown, depth = 0): string {
  if (!(error instanceof Error)) return typeof error === 'string' && error !== '' ? error : 'no reason was given';
  if (depth < MAX_DEPTH && error instanceof AggregateError && error.errors.length > 0) {
    return [...new Set(error.errors.map((each) => reasonOf(each, depth + 1)))].join('; ');
  }
  const message = error.message.trim();
  if (message !== '' && message !== 'fetch failed') return message;
  if (depth < MAX_DEPTH && error.cause !== undefined) return reasonOf(error.cause, depth + 1);
  return message || (error as NodeJS.ErrnoException).code || error.name;
}

/**
 * The same, and what it was caused by, each said once: "the database cannot be reached: too many clients already". Many messages have that of
 * their cause in them.
 */
export function reasonsOf(error: unknown): string {
  const reasons: string[] = [];
  let each = error;
  for (let depth = 0; each instanceof Error && depth <= MAX_DEPTH; depth += 1) {
    const reason = reasonOf(each);
    if (!reasons.some((said) => said.includes(reason))) reasons.push(reason);
    each = each.cause;
  }
  return reasons.length === 0 ? reasonOf(error) : reasons.join(': ');
}
