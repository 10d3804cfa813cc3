import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { join } from 'node:path';

/** `npm test`: all tests. PostgreSQL and nats-server are started for them, and stopped after. */
const ROOT = join(import.meta.dirname, '..');
const HELP = `npm test [-- <arguments>]: runs the tests. Their last line is "N passed, N failed".

  npm test -- test/flow           only the files whose path has this in it
  npm test -- -t 'a buy'          only the tests whose name has this in it
  npm test -- --watch             runs them again when a file changes

All other arguments of vitest work too: npx vitest --help. How the suites are laid out is in test/README.md.
`;

const args = process.argv.slice(2);
if (args.includes('--help')) process.stdout.write(HELP);
else process.exitCode = await runVitest(args);

function runVitest(given: string[]): Promise<number> {
  const mode = given.includes('--watch') ? [] : ['--run'];
  const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs');
  // The many processes that the tests start need not each compile the same modules.
  const env = { NODE_COMPILE_CACHE: join(ROOT, '.stockbroker/compile-cache'), ...process.env };
  const child = spawn(process.execPath, [vitest, ...mode, ...given], { cwd: ROOT, env, stdio: 'inherit' });
  // Ctrl-C reaches vitest too, which stops its servers; it decides when this is over.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
  });
}
