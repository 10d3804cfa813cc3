import { globSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { buildPage } from '../../../tools/buildPage.ts';

test('the page is small: 150 kB compressed with its chart, 60 kB until it can be used', async () => {
  const root = await buildPage();
  const bytesOf = (pattern: string) =>
    globSync(pattern, { cwd: root }).reduce((sum, file) => sum + statSync(join(root, file)).size, 0);
  const first = readFileSync(join(root, 'index.html'), 'utf8').match(/assets\/[^"]+/g) ?? [];
  expect(first.length).toBeGreaterThan(1);
  expect(bytesOf('assets/*.gz')).toBeLessThan(150_000);
  expect(first.reduce((sum, file) => sum + bytesOf(`${file}.gz`), 0)).toBeLessThan(60_000);
  // Nothing of the servers: neither gRPC’s library nor Node’s modules.
  const scripts = globSync('assets/*.js', { cwd: root }).map((file) => readFileSync(join(root, file), 'utf8'));
  for (const script of scripts) expect(script).not.toMatch(/grpc-js|http2|node:/);
});
