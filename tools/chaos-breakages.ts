import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findNatsServer } from '@stockbroker/testkit/processes';
import { BREAKAGES, type Breakage } from './chaos/breakages.ts';
import type { ChaosResult } from './chaos/result.ts';
import { applyPatch, copySources } from './chaos/sourceCopy.ts';
import { readArguments, runTool, type StopSignal, stopSignal, table, UserError } from './cli.ts';

const HELP = `npm run chaos:breakages: breaks each rule on purpose, in a copy of the sources, and shows that chaos sees it.

  npm run chaos:breakages -- [options]
    --only NAMES   only these, separated by commas
    --minutes N    how long each is run; default 0.4
    --seed N       default 1
    --help         this text

A minute each. Exit code: 0 when each was seen by the check that is there for it.

${table(BREAKAGES.map(({ name, what, seenBy }) => [`  ${name}`, what, seenBy ?? '(seen by none)']))}
`;
const ROOT = join(import.meta.dirname, '..');
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
  const names = values.only?.split(',');
  const unknown = names?.find((name) => !BREAKAGES.some((breakage) => breakage.name === name));
  if (unknown !== undefined) throw new UserError(`There is no breakage ${JSON.stringify(unknown)}; --help lists them.`);
  const env = { ...process.env, NATS_SERVER: await findNatsServer() };
  const args = ['--minutes', values.minutes, '--seed', values.seed, '--drain', DRAIN_SECONDS, '--json'];
  const stopping = stopSignal(() => process.exit(130));
  let failed = 0;
  for (const breakage of BREAKAGES) {
    if (names?.includes(breakage.name) === false) continue;
    const { isAsExpected, line } = await tryOut(breakage, args, env, stopping);
    if (stopping.isRequested()) return 130;
    failed += isAsExpected ? 0 : 1;
    process.stdout.write(`${isAsExpected ? '✓' : '✗'} ${breakage.name}: ${line}\n`);
  }
  return failed === 0 ? 0 : 1;
});

async function tryOut({ patches, faults, seenBy }: Breakage, args: string[], env: NodeJS.ProcessEnv, stopping: StopSignal) {
  const copy = mkdtempSync(join(tmpdir(), 'stockbroker-breakage-'));
  chmodSync(copy, 0o755); // PostgreSQL may run under another account.
  try {
    copySources(ROOT, copy);
    for (const patch of patches) applyPatch(copy, patch);
    const run = startChaos(copy, [...args, '--only', faults], { ...env, TMPDIR: copy });
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
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
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
