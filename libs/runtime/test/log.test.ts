import { spawn } from 'node:child_process';
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, onTestFinished, test, vi } from 'vitest';
import { LineWriter } from '../src/lineWriter.ts';

/** For a busy machine; vitest's own is a second. */
const WAIT = { timeout: 60_000 };
const LOG = join(import.meta.dirname, '..', 'src', 'log.ts');

/** Runs this in a process of its own. @returns what it has written to its standard output, and its exit code */
async function run(code: string) {
  const script = `import { createLog } from ${JSON.stringify(LOG)}; const log = createLog('test', 'info'); ${code}`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  const lines = (await text(child.stdout)).trim().split('\n');
  const written = lines.map((line) => JSON.parse(line));
  return { messages: written.map(({ msg }) => msg), errors: written.map(({ err }) => err), code: await exited };
}

const numbers = (count: number) => Array.from({ length: count }, (_, i) => String(i));
const many = (count: number) => `for (let i = 0; i < ${count}; i += 1) log.info({ some: 'x'.repeat(200) }, String(i));`;

test('log: every line, in order, when the process ends by itself', async () => {
  expect(await run(`${many(3_000)} setTimeout(() => log.info('later'), 20);`)).toMatchObject({
    messages: [...numbers(3_000), 'later'],
    code: 0,
  });
});

test('log: the lines of the turn in which the process exits', async () => {
  expect(await run(`${many(20)} process.exit(3);`)).toMatchObject({ messages: numbers(20), code: 3 });
});

test('log: a fatal line, and those before it, although nothing after it comes to an end', async () => {
  const { messages, code } = await run(`${many(20)} log.fatal('the end'); process.kill(process.pid, 'SIGKILL');`);
  expect({ messages, code }).toEqual({ messages: [...numbers(20), 'the end'], code: null });
});

test('log: an error says its reasons, each once, and keeps its stack', async () => {
  const { errors } = await run(`const cause = new Error('ENOENT');
    log.error({ err: new Error('x cannot be read: ENOENT', { cause }) }, 'a'); log.error({ err: new Error('away', { cause }) }, 'b');`);
  const stack = expect.stringContaining('caused by: Error: ENOENT');
  expect(errors).toMatchObject([
    { type: 'Error', message: 'x cannot be read: ENOENT', stack },
    { type: 'Error', message: 'away: ENOENT', stack },
  ]);
});

test('log: lines go out at the end of their turn, or once they are many', async () => {
  const tmp = mkdtempSync(join(tmpdir(), 'stockbroker-log-'));
  onTestFinished(() => rmSync(tmp, { recursive: true, force: true }));
  const file = join(tmp, 'log');
  const written = () => readFileSync(file, 'utf8');
  const stream = new LineWriter(openSync(file, 'w'), { dropped: () => {}, back: () => {} });
  stream.write('a\n');
  stream.write('b\n');
  expect(written()).toBe('');
  await nextTurn();
  await vi.waitFor(() => expect(written()).toBe('a\nb\n'), WAIT);
  const long = `${'c'.repeat(10_000)}\n`;
  stream.write(long);
  stream.write('d\n');
  stream.flushSync();
  await vi.waitFor(() => expect(written()).toHaveLength(4 + long.length + 2), WAIT);
});
