import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';

const LOG = join(import.meta.dirname, '..', 'src', 'log.ts');
/** What may wait, as a text, as bytes and once more while they are copied, and room for the collector. */
const MEMORY_BYTES = 200 * 1_024 * 1_024;

/**
 * A process that logs what it is asked to over its channel, and tells what was dropped. Its standard output goes to `stdout`, or to a
 * pipe that this test reads.
 */
function logger(stdout: number | 'pipe' | 'ignore', [command, ...before]: string[] = []) {
  const script = `
    import { createLog } from ${JSON.stringify(LOG)};
    let dropped = 0;
    const log = createLog('test', 'info', (lines) => { dropped += lines; });
    process.on('SIGXFSZ', () => {});
    process.on('message', ({ lines, size, end }) => {
      for (let i = 0; i < (lines ?? 0); i += 1) log.info({ some: 'x'.repeat(size ?? 10) }, String(i));
      if (end === 'fatal') log.fatal('the end');
      if (end !== undefined) log.flush(() => process.exit(3));
      else process.send({ dropped, rss: process.memoryUsage().rss });
    });`;
  const all = [...before, process.execPath, '--input-type=module', '--eval', script];
  if (command === undefined) all.shift();
  const child = spawn(command ?? process.execPath, all, { stdio: ['ignore', stdout, 'inherit', 'ipc'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  return { child, exited: once(child, 'exit') };
}

async function ask(child: ChildProcess, what: { lines?: number; size?: number }): Promise<{ dropped: number; rss: number }> {
  child.send(what);
  return (await once(child, 'message'))[0];
}

const patiently = { timeout: 30_000 };

/** Writing to a file goes on in the background. */
async function dropsAfter(child: ChildProcess, what: { lines: number }, dropped: number): Promise<void> {
  await ask(child, what);
  await expect.poll(async () => (await ask(child, {})).dropped, patiently).toBe(dropped);
}

test.runIf(process.platform === 'linux')('log: a full disk drops lines, counts them, and ends nothing', async () => {
  const { child, exited } = logger(openSync('/dev/full', 'w'));
  await dropsAfter(child, { lines: 1_000 }, 1_000);
  await dropsAfter(child, { lines: 500 }, 1_500);
  child.send({ lines: 500, end: 'fatal' });
  expect(await exited).toEqual([3, null]);
});

test('log: a reader that has gone drops lines, counts them, and ends nothing', async () => {
  const { child, exited } = logger('pipe');
  await ask(child, {});
  child.stdout?.destroy();
  await once(child.stdout as NonNullable<typeof child.stdout>, 'close');
  await dropsAfter(child, { lines: 1_000 }, 1_000);
  child.send({ lines: 500, end: 'fatal' });
  expect(await exited).toEqual([3, null]);
});

test('log: a reader that takes nothing is not waited for: memory is bounded, and the process goes on and ends', async () => {
  const { child, exited } = logger('pipe');
  const before = await ask(child, { lines: 1_000, size: 2_000 });
  expect(before.dropped).toBe(0);
  for (let i = 0; i < 50; i += 1) await ask(child, { lines: 1_000, size: 2_000 });
  const after = await ask(child, {});
  expect(after.dropped).toBeGreaterThan(40_000);
  expect(after.rss - before.rss).toBeLessThan(MEMORY_BYTES);
  child.send({ lines: 500, end: 'fatal' });
  expect(await exited).toEqual([3, null]);
});

test('log: a reader that comes back gets whole lines, and one that says how many are missing', async () => {
  const { child, exited } = logger('pipe');
  let dropped = 0;
  for (let i = 0; i < 5; i += 1) ({ dropped } = await ask(child, { lines: 1_000, size: 2_000 }));
  expect(dropped).toBeGreaterThan(0);
  const lines: { msg: string; lines?: number; level: number }[] = [];
  const reader = createInterface({ input: child.stdout as NonNullable<typeof child.stdout> });
  reader.on('line', (line) => lines.push(JSON.parse(line)));
  await expect.poll(() => lines.at(-1)?.msg, { timeout: 30_000 }).toMatch(/were dropped/);
  expect(lines.at(-1)).toMatchObject({ level: 50, lines: dropped });
  expect(lines).toHaveLength(5_000 - dropped + 1);
  const rest = await ask(child, { lines: 10 });
  expect(rest.dropped).toBe(dropped);
  child.send({ end: 'flush' });
  await Promise.all([exited, once(reader, 'close')]);
  expect(lines).toHaveLength(5_000 - dropped + 1 + 10);
});

test('log: a line that a full disk has torn is ended before the next one', async () => {
  const tmp = mkdtempSync(join(tmpdir(), 'stockbroker-log-'));
  onTestFinished(() => rmSync(tmp, { recursive: true, force: true }));
  const file = join(tmp, 'log');
  // A file's limit is refused as a full disk is, after as much as fits. Its unit is 512 or 1,024 bytes.
  const { child, exited } = logger('ignore', ['/bin/sh', '-c', `ulimit -f 2; exec "$0" "$@" >>${file}`]);
  await ask(child, { lines: 40 });
  await expect.poll(async () => (await ask(child, {})).dropped, patiently).toBeGreaterThan(0);
  const { dropped } = await ask(child, {});
  const torn = readFileSync(file).subarray(0, 500);
  expect(torn.at(-1)).not.toBe('\n'.charCodeAt(0));
  truncateSync(file, torn.length);
  await ask(child, { lines: 1 });
  child.send({ end: 'flush' });
  await exited;
  const after = readFileSync(file, 'utf8').slice(torn.length);
  const [end, line, report] = after.split('\n');
  expect(end).toBe('');
  expect(JSON.parse(line ?? '')).toMatchObject({ msg: '0' });
  expect(JSON.parse(report ?? '')).toMatchObject({ lines: dropped, level: 50 });
});
