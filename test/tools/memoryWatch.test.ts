import { spawn } from 'node:child_process';
import { eventually } from '@stockbroker/testkit';
import { expect, onTestFinished, test } from 'vitest';
import { MemoryWatch } from '../support/memoryWatch.ts';

const MB = 2 ** 20;

test('memory: the most that a process had is known, also when it has given it back, and when it has ended', async () => {
  const watch = new MemoryWatch();
  onTestFinished(() => watch.stop());
  const child = spawn(
    process.execPath,
    ['--expose-gc', '-e', 'let held = Buffer.alloc(200e6, 1); held = undefined; gc(); process.stdin.resume();'],
    { stdio: ['pipe', 'ignore', 'inherit'] },
  );
  onTestFinished(() => void child.kill('SIGKILL'));
  const look = () => {
    watch.look();
    return watch.processes.find(({ pid }) => pid === child.pid);
  };
  await eventually(look, (found) => (found?.mostBytes ?? 0) > 180 * MB, { what: 'its memory' });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.stdin.end();
  await exited;
  const found = look();
  expect(found?.mostBytes).toBeGreaterThan(180 * MB);
  expect(found?.command).toMatch(/--expose-gc/);
  expect(watch.processes.map(({ pid }) => pid)).toContain(process.pid);
});
