import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, inject, onTestFinished, test } from 'vitest';
import { checkNats } from '../../tools/prepareServers.ts';
import { cloneDatabase } from '../support/database.ts';
import { newDataFolder, runTool } from './tool.ts';

test.each(['start', 'trade', 'demo', 'takeover', 'db-migrate', 'db-reset'])('%s --help says what it does', async (tool) => {
  const { code, stdout, stderr } = await runTool(tool, ['--help']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/^npm (run )?[a-z:]+: .*--help/s);
});

const nowhere = { STOCKBROKER_DATA_DIR: '/nonexistent/stockbroker' };
test.each([
  { tool: 'trade', args: ['account'], env: nowhere, says: 'No broker is running here. Start one with: npm start' },
  { tool: 'trade', args: ['by', 'AAPL'], env: {}, says: 'There is no command "by": buy, sell, cancel, list' },
  { tool: 'trade', args: ['buy', 'AAPL'], env: {}, says: 'Usage: npm run trade -- buy <ticker> <quantity>' },
  { tool: 'trade', args: ['list', '--colour'], env: {}, says: "Unknown option '--colour'" },
  {
    tool: 'trade',
    args: ['buy', 'AAPL', '1', '--gateway', '127.0.0.1:1', '--token', 'x', '--timeout', '1'],
    env: nowhere,
    says: 'It is not known whether the trade is placed: repeat the command with\n  --client-order-id ',
  },
  { tool: 'start', args: [], env: { PARTITIONS: 'many' }, says: 'PARTITIONS must be a whole number from 1 to 10,000' },
  { tool: 'start', args: [], env: { DATABASE_URL: 'mysql://x' }, says: 'DATABASE_URL must be like postgresql://' },
  { tool: 'demo', args: ['--trades', '0'], env: {}, says: '--trades must be a whole number from 1' },
  {
    tool: 'db-reset',
    args: [],
    env: { DATABASE_URL: 'postgresql://me:secret@db/x' },
    says: 'postgresql://me@db/x would be lost',
  },
])('$tool $args: exit code 1 and what to do', async ({ tool, args, env, says }) => {
  const { code, stdout, stderr } = await runTool(tool, args, env);
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toContain(says);
  expect(stderr).not.toMatch(/^ +at /m);
});

test('db:migrate: an up-to-date database stays as it is; another number of partitions is refused', async () => {
  const url = await cloneDatabase();
  expect(await runTool('db-migrate', [], { DATABASE_URL: url })).toMatchObject({
    code: 0,
    stdout: 'the database is up to date\n',
  });
  const { code, stderr } = await runTool('db-migrate', [], { DATABASE_URL: url, PARTITIONS: '64' });
  expect(code).toBe(1);
  expect(stderr).toContain('was created with 100 partitions, and 64 are asked for.\nUse it as it is with PARTITIONS=100');
});

test('db:reset: the user’s own database is made anew with other partitions when --yes says so', async () => {
  const url = await cloneDatabase();
  const { code, stdout } = await runTool('db-reset', ['--yes'], { DATABASE_URL: url, PARTITIONS: '64' });
  expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining('4 customers have new accounts') });
  expect((await runTool('db-migrate', [], { DATABASE_URL: url, PARTITIONS: '64' })).stdout).toBe('the database is up to date\n');
});

test('start: a wrong setting of an app is told in its own words, and nothing is left running', async () => {
  const env = { LOG_LEVEL: 'loud', DATABASE_URL: await cloneDatabase(), STOCKBROKER_DATA_DIR: newDataFolder() };
  const { code, stderr } = await runTool('start', [], env);
  expect(code).toBe(1);
  expect(stderr).toContain('LOG_LEVEL must be one of trace, debug, info, warn, error, fatal, silent, but is "loud"');
});

test.each([
  ['is no URL of NATS', () => 'http://127.0.0.1:4222', 'NATS_URL must be URLs that begin with nats:// or tls://'],
  [
    'is PostgreSQL',
    () => `nats://${new URL(inject('postgresUrl')).host}`,
    'what listens there does not greet as a NATS server does.',
  ],
  ['speaks no TLS', () => inject('natsUrl').replace('nats:', 'tls:'), 'it speaks no TLS, which tls:// demands: write nats://.'],
])('start: a NATS server that %s is refused in a sentence, and nothing is left running', async (_what, natsUrl, sentence) => {
  const env = { NATS_URL: natsUrl(), DATABASE_URL: await cloneDatabase(), STOCKBROKER_DATA_DIR: newDataFolder() };
  const { code, stderr } = await runTool('start', [], env);
  expect(code).toBe(1);
  expect(stderr).toContain(sentence);
  expect(stderr).not.toMatch(/^ +at /m);
});

test('start: a NATS server without JetStream is refused in a sentence', async () => {
  const greeter = createServer((socket) => {
    socket.on('error', () => {}).write('INFO {"server_id":"x","version":"2.14.0"}\r\n');
  });
  await once(greeter.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => void greeter.close());
  const { port } = greeter.address() as AddressInfo;
  await expect(checkNats(`nats://127.0.0.1:${port}`)).rejects.toThrow(
    'it runs without JetStream: start it with nats-server -js.',
  );
});
