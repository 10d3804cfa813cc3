import type { Broker } from '@stockbroker/testkit';
import { runOps } from '../../tools/ops/runOps.ts';

/** What the tests look at in the documents; each command has more. */
type Document = Record<string, unknown>;

/** Where a broker's servers are, as an operator's environment names them. */
export function environmentOf(broker: Broker): Record<string, string> {
  const { exchangeAddress, exchangeApiKey } = broker.system;
  return {
    DATABASE_URL: broker.databaseUrl,
    NATS_URL: broker.nats.url,
    EXCHANGE_ADDRESS: exchangeAddress,
    EXCHANGE_API_KEY: exchangeApiKey,
    OPERATOR: 'olivia',
  };
}

/** Runs `npm run ops -- <args>` in this process, as people see it. */
export async function opsTable(env: Record<string, string>, ...args: string[]) {
  const written = { stdout: '', stderr: '' };
  const code = await runOps({
    args,
    env: { STOCKBROKER_DATA_DIR: '/nonexistent/stockbroker', ...env },
    out: (text) => {
      written.stdout += text;
    },
    say: (text) => {
      written.stderr += text;
    },
  });
  return { code, ...written };
}

/** The same with --json. @returns the document; null when there is none */
export async function ops(env: Record<string, string>, ...args: string[]) {
  const { code, stdout, stderr } = await opsTable(env, ...args, '--json');
  return { code, json: stdout === '' ? null : (JSON.parse(stdout) as Document), stderr };
}
