import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { AppFailedError, AppProcess } from '../src/processes.ts';

/** Ends at its first start, and says that it is ready at the second. */
const SECOND_TIME_LUCKY = `
import { existsSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
if (!existsSync(process.env.MARK)) {
  writeFileSync(process.env.MARK, '');
  console.log('not today');
  process.exit(3);
}
const server = createServer((_request, response) => response.end('ready'));
server.listen(0, '127.0.0.1', () => process.send({ endpoints: { admin: 'http://127.0.0.1:' + server.address().port } }));
process.on('SIGTERM', () => process.exit(0));
`;

test('a start that fails says why, and may be tried again', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'stockbroker-app-'));
  const main = join(dir, 'main.mjs');
  writeFileSync(main, SECOND_TIME_LUCKY);
  const app = new AppProcess({
    name: 'worker-1',
    app: 'worker',
    main,
    env: { MARK: join(dir, 'mark') },
    logFile: join(dir, 'worker-1.log'),
    restart: true,
  });
  onTestFinished(async () => {
    await app.stop();
    rmSync(dir, { recursive: true });
  });
  const failed = await app.start().catch((error: unknown) => error);
  expect(failed).toBeInstanceOf(AppFailedError);
  expect(String(failed)).toMatch(/worker-1 exited with code 3[\s\S]*not today/);
  await app.start();
  expect(app.endpoints.admin).toMatch(/^http:/);
});

test('a start that an app gives up is told in its own sentence, without the stack trace', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'stockbroker-app-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const logFile = join(dir, 'exchange.log');
  const env = {
    EXCHANGE_API_KEY: 'key',
    EXCHANGE_CALLBACK_SECRET: `whsec_${Buffer.alloc(32).toString('base64')}`,
    EXCHANGE_PORT: '0',
    EXCHANGE_DATA_DIR: '/dev/null/exchange',
  };
  const app = new AppProcess({ name: 'exchange', app: 'exchange', env, logFile, restart: false });
  await expect(app.start()).rejects.toThrow(
    new AppFailedError(
      `exchange exited with code 1: ENOTDIR: not a directory, mkdir '/dev/null/exchange'. Its log is ${logFile}`,
    ),
  );
});
