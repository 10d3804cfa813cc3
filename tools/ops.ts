import { runOps } from './ops/runOps.ts';

const code = await runOps({
  args: process.argv.slice(2),
  env: process.env,
  out: (text) => void process.stdout.write(text),
  say: (text) => void process.stderr.write(text),
});
process.exit(code);
