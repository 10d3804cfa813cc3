import { rmSync } from 'node:fs';
import { keepFolder, openRunFolder } from '@stockbroker/testkit/runs';
import { KIND_NAMES, KINDS, type KindName, kindsNamed } from './chaos/kinds.ts';
import { chaosReport } from './chaos/report.ts';
import { runChaos } from './chaos/run.ts';
import { readArguments, runTool, stopSignal, table, UserError, wholeNumber } from './cli.ts';
import { Progress } from './progress.ts';

const HELP = `npm run chaos: breaks a throw-away system under load in every way that it promises to survive, then checks its promises.

  npm run chaos -- [options]
    --minutes N    how long to inject faults; default 5; 0.5 is half a minute
    --seed N       the same seed draws the same faults and orders; default 1
    --customers N  default 60
    --rate N       trades placed a second, whatever their outcome; default 15
    --only KINDS   only these faults, e.g. worker,nats.kill
    --drain S      how long the last trades may take to end, in seconds, once all faults have ended; default 90
    --keep         keeps the data and logs even when nothing is wrong
    --json         prints the result as one JSON document
    --help         this text

The system: 2 gateways, 3 workers, 2 callback servers behind a balancer, the exchange, PostgreSQL with a synchronous standby, 3 NATS
servers. Customers call over gRPC, retry calls whose outcome is unknown, and record every answer. After the faults everything is repaired
and every trade must end. The checks use only the clients' records, the exchange's journal and the final tables. docs/chaos.md explains
the report.

Exit code: 0 when every promise was kept, 1 when one was broken (data and logs are then kept), 2 for wrong usage, 130 when stopped.

Faults:
${table(KIND_NAMES.map((name) => [`  ${name}`, KINDS[name].what]))}
`;

interface Wanted {
  minutes: number;
  seed: number;
  customers: number;
  rate: number;
  kinds: KindName[];
  drainMs: number;
  json: boolean;
  keep: boolean;
}

/** The command line is wrong: exit code 2. */
class UsageError extends Error {}

await runTool(async () => {
  try {
    return await run(readWanted());
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 2;
  }
});

/** @throws UsageError */
function readWanted(): Wanted {
  try {
    const { values, positionals } = readArguments(HELP, {
      minutes: { type: 'string', default: '5' },
      seed: { type: 'string', default: '1' },
      customers: { type: 'string', default: '60' },
      rate: { type: 'string', default: '15' },
      only: { type: 'string' },
      drain: { type: 'string', default: '90' },
      keep: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    });
    if (positionals.length > 0) throw new UserError(`What is ${positionals.join(' ')}? Run it with --help to see what it takes.`);
    const kinds = values.only === undefined ? KIND_NAMES : kindsNamed(values.only);
    if (kinds === undefined)
      throw new UserError(`--only must name faults that --help lists, but is ${JSON.stringify(values.only)}.`);
    return {
      minutes: someMinutes(values.minutes),
      seed: wholeNumber('--seed', values.seed, { min: 0, max: 4_294_967_295 }),
      customers: wholeNumber('--customers', values.customers, { min: 1, max: 10_000 }),
      rate: wholeNumber('--rate', values.rate, { min: 1, max: 1_000 }),
      kinds,
      drainMs: 1_000 * wholeNumber('--drain', values.drain, { min: 1, max: 3_600 }),
      json: values.json,
      keep: values.keep,
    };
  } catch (error) {
    const isUsage = error instanceof UserError || String((error as NodeJS.ErrnoException).code).startsWith('ERR_PARSE_ARGS');
    throw isUsage ? new UsageError((error as Error).message) : error;
  }
}

function someMinutes(text: string): number {
  const minutes = Number(text);
  if (/^\d+(\.\d+)?$/.test(text) && minutes >= 0.1 && minutes <= 1_440) return minutes;
  throw new UserError(`--minutes must be from 0.1 to 1440, but is ${JSON.stringify(text)}.`);
}

async function run({ json, keep, ...wanted }: Wanted): Promise<number> {
  const dataDir = openRunFolder('chaos');
  const progress = new Progress(process.stderr);
  const running: { kill(): Promise<void> }[] = [];
  const remove = () => rmSync(dataDir, { recursive: true, force: true });
  const stopping = stopSignal(() => {
    void Promise.all(running.map((each) => each.kill())).finally(() => {
      remove();
      process.exit(130);
    });
  });
  let keeps = true;
  try {
    const result = await runChaos({ ...wanted, dataDir, progress, stopping, started: (each) => running.push(each) });
    keeps = keep || (result !== undefined && result.violations.length > 0);
    if (result === undefined) return 130;
    process.stdout.write(json ? `${JSON.stringify(result, null, 2)}\n` : `${chaosReport(result)}\n`);
    return result.violations.length === 0 ? 0 : 1;
  } finally {
    // Whatever an orderly stop has left, or a start that failed: nothing of it may live on.
    await Promise.all(running.map((each) => each.kill()));
    if (keeps) {
      keepFolder(dataDir);
      progress.line(`The data and logs are kept in ${dataDir}`);
    } else remove();
  }
}
