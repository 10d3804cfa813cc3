import { runOps } from './ops/runOps.ts';

process.exitCode = await runOps({
  args: process.argv.slice(2),
  env: process.env,
  out: (text) => void process.stdout.write(text),
  say: (text) => void process.stderr.write(text),
});
