import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { applyPatch, copySources } from './chaos/sourceCopy.ts';
import { readArguments, runTool, table, UserError, wholeNumber } from './cli.ts';
import { BREAKAGES, type Breakage } from './simulation/breakages.ts';

const HELP = `npm run simulate:breakages: breaks each rule on purpose, in a copy of the sources, and shows that the simulation sees it.

  npm run simulate:breakages -- [options]
    --only NAMES   only these, separated by commas
    --seeds N      after so many seeds a breakage counts as not seen; default 1500
    --help         this text

Exit code: 0 when each was seen as it should be, and those that another guard makes harmless were not.

${table(BREAKAGES.map(({ name, what, seenAs }) => [`  ${name}`, seenAs === null ? `${what} (harmless)` : what]))}
`;
const ROOT = join(import.meta.dirname, '..');

await runTool(async () => {
  const { values } = readArguments(HELP, { only: { type: 'string' }, seeds: { type: 'string', default: '1500' } });
  const seeds = wholeNumber('--seeds', values.seeds, { min: 1, max: 1_000_000 });
  const names = values.only?.split(',');
  const unknown = names?.find((name) => !BREAKAGES.some((breakage) => breakage.name === name));
  if (unknown !== undefined) throw new UserError(`There is no breakage ${JSON.stringify(unknown)}; --help lists them.`);
  let failed = 0;
  for (const breakage of BREAKAGES) {
    if (names?.includes(breakage.name) === false) continue;
    const { isAsExpected, line } = await tryOut(breakage, seeds);
    failed += isAsExpected ? 0 : 1;
    process.stdout.write(`${isAsExpected ? '✓' : '✗'} ${breakage.name}: ${line}\n`);
  }
  return failed === 0 ? 0 : 1;
});

async function tryOut({ patch, seenAs }: Breakage, seeds: number): Promise<{ isAsExpected: boolean; line: string }> {
  const copy = mkdtempSync(join(tmpdir(), 'stockbroker-breakage-'));
  try {
    copySources(ROOT, copy);
    applyPatch(copy, patch);
    const failed = await firstFailure(copy, seeds);
    if (failed === null) return { isAsExpected: seenAs === null, line: `nothing seen in ${seeds} seeds` };
    return { isAsExpected: seenAs?.test(failed.violation) === true, line: `seed ${failed.seed}: ${failed.violation}` };
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

/** @throws Error when the simulation could not run */
function firstFailure(root: string, seeds: number): Promise<{ seed: number; violation: string } | null> {
  const args = ['tools/simulate.ts', '--seeds', String(seeds), '--no-shrink', '--json'];
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, { cwd: root }, (error, stdout) => {
      if (error !== null && stdout === '') reject(error);
      else resolve((JSON.parse(stdout) as { failed: { seed: number; violation: string } | null }).failed);
    });
  });
}
