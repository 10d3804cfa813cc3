import { execFile } from 'node:child_process';
import { type Tried, tryBreakages } from './breakages/tryBreakages.ts';
import { readArguments, runTool, type StopSignal, table, wholeNumber } from './cli.ts';
import { BREAKAGES, type SimulationBreakage } from './simulation/breakages.ts';

const HELP = `npm run simulate:breakages: breaks each rule on purpose, in a copy of the sources, and shows that the simulation notices.

  npm run simulate:breakages -- [options]
    --only NAMES   only these, separated by commas
    --seeds N      seeds to run before a breakage counts as not seen; default 1500
    --help         this text

Exit code: 0 when each breakage was seen as expected, and those that another guard makes harmless were not seen.

${table(BREAKAGES.map(({ name, what, seenAs }) => [`  ${name}`, seenAs === null ? `${what} (harmless)` : what]))}
`;

await runTool(async () => {
  const { values } = readArguments(HELP, { only: { type: 'string' }, seeds: { type: 'string', default: '1500' } });
  const seeds = wholeNumber('--seeds', values.seeds, { min: 1, max: 1_000_000 });
  return await tryBreakages(BREAKAGES, values.only, (breakage, copy, stopping) => tryOut(breakage, { copy, seeds, stopping }));
});

interface Trial {
  copy: string;
  seeds: number;
  stopping: StopSignal;
}

async function tryOut({ seenAs }: SimulationBreakage, { copy, seeds, stopping }: Trial): Promise<Tried> {
  const failed = await firstFailure(copy, seeds, stopping);
  if (failed === null) return { isAsExpected: seenAs === null, line: `nothing seen in ${seeds} seeds` };
  return { isAsExpected: seenAs?.test(failed.violation) === true, line: `seed ${failed.seed}: ${failed.violation}` };
}

/** @throws Error when the simulation could not run */
function firstFailure(root: string, seeds: number, stopping: StopSignal): Promise<{ seed: number; violation: string } | null> {
  const args = ['tools/simulate.ts', '--seeds', String(seeds), '--no-shrink', '--json'];
  return new Promise((resolve, reject) => {
    const child = execFile(process.execPath, args, { cwd: root }, (error, stdout) => {
      if (stopping.isRequested()) resolve(null);
      else if (error !== null && stdout === '') reject(error);
      else resolve((JSON.parse(stdout) as { failed: { seed: number; violation: string } | null }).failed);
    });
    void stopping.requested.then(() => child.kill('SIGTERM'));
  });
}
