import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..');

test('npm run simulate:breakages: a broken rule is seen', async () => {
  const args = ['tools/simulate-breakages.ts', '--only', 'send-before-mark,conflict-is-duplicate', '--seeds', '200'];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: ROOT });
  expect(stdout).toMatch(/^✓ send-before-mark: .* was sent while it was placed\n✓ conflict-is-duplicate: .* in quarantine/);
});
