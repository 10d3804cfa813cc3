import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { join } from 'node:path';
import { endRun, openRunFolder, sweepRuns } from '@stockbroker/testkit/runs';

/** `npm test`: all tests. PostgreSQL and nats-server are started for them, and stopped after. */
const ROOT = join(import.meta.dirname, '..');
const HELP = `npm test [-- <arguments>]: runs the tests. Their last line is "N passed, N failed".

  npm test -- test/flow           only the files whose path contains this
  npm test -- -t 'a buy'          only the tests whose name contains this
  npm test -- --watch             runs them again when a file changes
  npm test -- --busy              runs them beside 20 processes that keep the machine busy

All other arguments of vitest work too: see npx vitest --help. test/README.md describes the suites.
`;
const BUSY = 20;
/** How often it looks whether the process that it was started by is still there. */
const LOOK_MS = 500;
/** vitest ends in moments when it is told to; what it has started is ended after it. */
const END_DEADLINE_MS = 5_000;

const args = process.argv.slice(2);
if (args.includes('--help')) process.stdout.write(HELP);
else process.exitCode = await runTests(args);

async function runTests(given: string[]): Promise<number> {
  await sweepRuns();
  const guarded = startGuard(openRunFolder('test'));
  const isBusy = given.includes('--busy');
  for (let i = 0; isBusy && i < BUSY; i += 1) spawn('sh', ['-c', 'while :; do :; done'], { stdio: 'ignore' }).unref();
  try {
    return await runVitest(
      given.filter((arg) => arg !== '--busy'),
      isBusy,
    );
  } finally {
    await guarded.end();
  }
}

/** What ends all that the run has started, and removes what it has written: at its end, or when it is killed. */
function startGuard(folder: string): { end: () => Promise<void> } {
  const guard = spawn(process.execPath, [join(import.meta.dirname, 'testGuard.ts'), folder], {
    env: { ...process.env, TMPDIR: join(folder, '..') }, // else it would be taken for a part of the run
    stdio: ['pipe', 'ignore', 'inherit'],
    detached: true,
  });
  guard.on('error', () => {}); // Without it there is still the next run.
  guard.stdin?.on('error', () => {});
  guard.unref();
  return {
    end: async () => {
      await endRun(folder);
      guard.stdin?.end('ended');
    },
  };
}

async function runVitest(given: string[], isBusy: boolean): Promise<number> {
  const mode = given.includes('--watch') ? [] : ['--run'];
  const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs');
  // The many processes that the tests start need not each compile the same modules.
  const env = {
    NODE_COMPILE_CACHE: join(ROOT, '.stockbroker/compile-cache'),
    ...process.env,
    ...(isBusy ? { STOCKBROKER_TESTS_BUSY: '1' } : {}),
  };
  const child = spawn(process.execPath, [vitest, ...mode, ...given], { cwd: ROOT, env, stdio: 'inherit' });
  // Ctrl-C reaches vitest too, which stops its servers; it decides when this is over.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop(child, signal));
  // Whoever kills what has started this one wants to be rid of all of it.
  const parent = process.ppid;
  const watch = setInterval(() => process.ppid === parent || stop(child, 'SIGTERM'), LOOK_MS);
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (...how) => resolve(how));
  });
  clearInterval(watch);
  return code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
}

function stop(child: ChildProcess, signal: NodeJS.Signals): void {
  child.kill(signal);
  if (signal !== 'SIGINT') setTimeout(() => child.kill('SIGKILL'), END_DEADLINE_MS).unref();
}
