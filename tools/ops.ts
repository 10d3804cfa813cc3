import { runTool } from './cli.ts';
import { runOps } from './ops/runOps.ts';

await runTool(() =>
  runOps({
    args: process.argv.slice(2),
    env: process.env,
    out: (text) => void process.stdout.write(text),
    say: (text) => void process.stderr.write(text),
  }),
);
