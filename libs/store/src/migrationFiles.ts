import { readdirSync } from 'node:fs';
import { join } from 'node:path';

export const PRISMA_DIR = join(import.meta.dirname, '..', '..', '..', 'prisma');
export const MIGRATIONS_DIR = join(PRISMA_DIR, 'migrations');

/** In the order in which they are applied. */
export function migrationNames(): string[] {
  return readdirSync(MIGRATIONS_DIR, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
}
