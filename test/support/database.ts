import { randomUUID } from 'node:crypto';
import { createDatabase } from '@stockbroker/testkit';
import { inject } from 'vitest';

/** A migrated, empty database of the caller's own, in the server that all test files share. @returns its URL */
export function cloneDatabase(): Promise<string> {
  return createDatabase(inject('postgresUrl'), `test-${randomUUID()}`, { template: inject('templateDatabase') });
}
