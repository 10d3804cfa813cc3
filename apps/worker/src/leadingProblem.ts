/** Partitions that a worker should lead and does not. */
interface NotLed {
  partitions: number[];
  why: string;
}

/** More are only counted. */
const NAMED = 5;

/**
 * What /readyz says of a worker that should lead and cannot: it is not ready, although it is alive and reaches everything.
 *
 * @param causes each for longer than a lease's lifetime
 */
export function leadingProblem(causes: readonly NotLed[]): string | undefined {
  const problems = causes.filter(({ partitions }) => partitions.length > 0).map(sentence);
  return problems.length === 0 ? undefined : problems.join('; ');
}

function sentence({ partitions, why }: NotLed): string {
  const named = partitions.slice(0, NAMED).join(', ');
  const more = partitions.length > NAMED ? ` and ${partitions.length - NAMED} more` : '';
  return `nobody leads ${partitions.length === 1 ? 'partition' : 'partitions'} ${named}${more}: ${why}`;
}
