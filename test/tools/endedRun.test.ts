import { readdirSync } from 'node:fs';
import { commandOf, descendantsOf, eventually } from '@stockbroker/testkit';
import { PATIENCE } from '@stockbroker/testkit/patience';
import { endRun, processesOfRun } from '@stockbroker/testkit/runs';
import { expect, onTestFinished, test } from 'vitest';
import { newFolder, runTool, startTool } from './tool.ts';

/** What a run has when it is in the middle of a test. */
const PARTS = [/tools\/test\.ts/, /testGuard\.ts/, /vitest\.mjs/, /forks\.js/, /\/postgres /, /nats-server/, /gateway\.mjs/];

const commandsOf = (pids: number[]) => pids.map((pid) => ({ pid, command: commandOf(pid) ?? '' }));

/** A run that is in the middle of a test of a whole broker. */
async function openRun() {
  const folder = newFolder();
  onTestFinished(() => endRun(folder));
  const run = startTool('test', ['test/flow/overdrawn.test.ts'], { TMPDIR: folder });
  const all = () => commandsOf(processesOfRun(folder));
  const isWhole = (found: { command: string }[]) => PARTS.every((part) => found.some(({ command }) => part.test(command)));
  await eventually(all, isWhole, { what: 'a whole run', deadlineMs: 100_000 * PATIENCE });
  const kill = (part: RegExp) => {
    const found = commandsOf([run.pid, ...descendantsOf(run.pid)]).filter(({ command }) => part.test(command));
    expect(found).not.toEqual([]);
    for (const { pid } of found) process.kill(pid, 'SIGKILL');
  };
  const leavesNothing = async () => {
    await eventually(all, (left) => left.length === 0, { what: 'the end of all its processes' });
    expect(readdirSync(folder)).toEqual([]);
  };
  return { folder, run, kill, leavesNothing };
}

test('a run of the tests that is told to end leaves nothing behind', async () => {
  const { run, leavesNothing } = await openRun();
  run.signal('SIGTERM');
  expect(await run.exited).toBe(143);
  await leavesNothing();
});

test.each([
  ['npm', /bootstrap\.mjs/],
  ['its command', /^\S*node (?:\S+ )*\S*\/tools\/test\.ts/],
])('a run of the tests leaves nothing behind when %s is killed', async (_what, part) => {
  const { kill, leavesNothing } = await openRun();
  kill(part);
  await leavesNothing();
});

test('what a run leaves of which every process was killed at once, servers excepted, the next command removes', async () => {
  const { folder, kill, leavesNothing } = await openRun();
  kill(/bootstrap|tools\/test|testGuard|vitest/);
  expect(commandsOf(processesOfRun(folder)).map(({ command }) => command)).toContainEqual(expect.stringMatching(/postgres /));
  expect((await runTool('issuer', ['--help'], { TMPDIR: folder })).code).toBe(0);
  await leavesNothing();
});
