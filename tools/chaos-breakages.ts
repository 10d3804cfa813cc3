import { spawn } from 'node:child_process';
import { findNatsServer } from '@stockbroker/testkit/processes';
import { type Tried, tryBreakages } from './breakages/tryBreakages.ts';
import type { ChaosBreakage } from './chaos/breakage.ts';
import { BREAKAGES } from './chaos/breakages.ts';
import type { ChaosResult } from './chaos/result.ts';
import { readArguments, runTool, type StopSignal, table } from './cli.ts';

const HELP = `npm run chaos:breakages: breaks each rule on purpose, in a copy of the sources, and shows that chaos notices.

  npm run chaos:breakages -- [options]
    --only NAMES   only these, separated by commas
    --minutes N    how long each run takes; default 0.4
    --seed N       default 1
    --help         this text

Each takes about a minute. Exit code: 0 when each breakage was seen by the check that is meant to see it.

${table(BREAKAGES.map(({ name, what, seenBy }) => [`  ${name}`, what, seenBy ?? '(seen by none)']))}
`;
/** What is still open then is stuck: nothing is broken but the rule. */
const DRAIN_SECONDS = '20';
/** Characters of what a run that failed has written. */
const MOST_TOLD = 1_000;

await runTool(async () => {
  const { values } = readArguments(HELP, {
    only: { type: 'string' },
    minutes: { type: 'string', default: '0.4' },
    seed: { type: 'string', default: '1' },
  });
  const env = { ...process.env, NATS_SERVER: await findNatsServer() };
  const args = ['--minutes', values.minutes, '--seed', values.seed, '--drain', DRAIN_SECONDS, '--json'];
  return await tryBreakages(BREAKAGES, values.only, (breakage, copy, stopping) => {
    const allArgs = [...args, '--only', breakage.faults];
    return tryOut(breakage, startChaos(copy, allArgs, { ...env, TMPDIR: copy }), stopping);
  });
});

async function tryOut({ seenBy }: ChaosBreakage, run: ReturnType<typeof startChaos>, stopping: StopSignal): Promise<Tried> {
  void stopping.requested.then(run.stop);
  const { code, stdout, stderr } = await run.ended;
  if (stdout === '')
    return { isAsExpected: false, line: `chaos ended with code ${code} before it had a result:\n${stderr.slice(-MOST_TOLD)}` };
  const { violations, trades, faults: made } = JSON.parse(stdout) as ChaosResult;
  const counts = new Map<string, number>();
  for (const { check } of violations) counts.set(check, (counts.get(check) ?? 0) + 1);
  const seen = [...counts].map(([check, count]) => `${check} ${count}`).join(', ') || 'nothing';
  const isAsExpected = seenBy === null ? counts.size === 0 : counts.has(seenBy);
  return {
    isAsExpected,
    line: `expected ${seenBy ?? 'nothing'}; seen: ${seen} (${trades.stored} trades, ${made.done} faults)`,
  };
}

function startChaos(root: string, args: string[], env: NodeJS.ProcessEnv) {
  const child = spawn(process.execPath, ['tools/chaos.ts', ...args], { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const written = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      written[name] += text;
    });
  }
  const ended = new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, ...written }));
  });
  return { ended, stop: () => void child.kill('SIGTERM') };
}
