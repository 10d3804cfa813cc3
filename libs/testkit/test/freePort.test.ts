import { execFile } from 'node:child_process';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { freePort } from '../src/serverProcess.ts';

const run = promisify(execFile);
/** As another process of the tests would. */
const ASK = `import { freePort } from ${JSON.stringify(fileURLToPath(import.meta.resolve('../src/serverProcess.ts')))};
  freePort({ first: Number(process.argv[1]), count: 1 }).then(() => console.log('given'), (error) => console.log(error.message));`;

test('freePort gives a port once, also when nobody listens on it yet, and none that somebody listens on', async () => {
  const first = 14_000 + Math.floor(Math.random() * 900);
  const given = [await freePort({ first, count: 3 }), await freePort({ first, count: 3 })];
  expect(new Set(given).size).toBe(2);
  const [last] = [first, first + 1, first + 2].filter((port) => !given.includes(port));
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(last, '127.0.0.1', resolve));
  await expect(freePort({ first, count: 3 })).rejects.toThrow(`no free port found from ${first} to ${first + 2}`);
  await new Promise((resolve) => server.close(resolve));
});

test('freePort gives no port that another process was given', async () => {
  const port = await freePort();
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', ASK, String(port)]);
  expect(stdout.trim()).toBe(`no free port found from ${port} to ${port} on 127.0.0.1`);
});
