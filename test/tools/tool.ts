import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PATIENCE } from '@stockbroker/testkit/patience';
import { onTestFinished } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..');

interface Tool {
  pid: number;
  stdout(): string;
  stderr(): string;
  signal(signal: NodeJS.Signals): void;
  /** Resolves with its exit code; null when a signal has ended it. */
  exited: Promise<number | null>;
}

/** Starts `npm run <tool>` as npm does, with nothing in its environment but what it is given. It ends with the test. */
export function startTool(
  tool: string,
  args: readonly string[],
  env: Record<string, string> = {},
  account: { uid?: number; gid?: number } = {},
): Tool {
  const { PATH = '', HOME = '', TMPDIR = tmpdir(), STOCKBROKER_TESTS_BUSY = '' } = process.env;
  const child = spawn(process.execPath, [join(ROOT, 'tools', 'bootstrap.mjs'), `tools/${tool}.ts`, ...args], {
    cwd: ROOT,
    env: { PATH, HOME, TMPDIR, STOCKBROKER_TESTS_BUSY, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...account,
  });
  const written = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      written[name] += text;
    });
  }
  const exited = new Promise<number | null>((resolve) => child.once('close', resolve));
  onTestFinished(async () => {
    child.kill('SIGTERM');
    await exited;
  });
  return {
    pid: child.pid ?? 0,
    stdout: () => written.stdout,
    stderr: () => written.stderr,
    signal: (signal) => void child.kill(signal),
    exited,
  };
}

/** Runs a tool to its end. One that is not done by the deadline is told to stop, so that a test can show how far it came. */
export async function runTool(
  tool: string,
  args: readonly string[] = [],
  env: Record<string, string> = {},
  { deadlineMs = 100_000 * PATIENCE } = {},
) {
  const run = startTool(tool, args, env);
  const deadline = setTimeout(() => run.signal('SIGTERM'), deadlineMs);
  const code = await run.exited;
  clearTimeout(deadline);
  return { code, stdout: run.stdout(), stderr: run.stderr() };
}

/** For data of a tool's own. Removed after the test. */
export function newDataFolder(): string {
  return join(newFolder(), 'data');
}

/** Also PostgreSQL's account can reach it. Removed after the test. */
export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'stockbroker-tools-'));
  chmodSync(folder, 0o755);
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
