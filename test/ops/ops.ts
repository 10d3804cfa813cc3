import type { Broker } from '@stockbroker/testkit';
import { runTool } from '../tools/tool.ts';

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

/** Runs `npm run ops -- <args> --json`. @returns the exit code and the document; the document is null when there is none */
export async function ops(env: Record<string, string>, ...args: string[]) {
  const { code, stdout, stderr } = await runTool('ops', [...args, '--json'], env);
  return { code, json: stdout === '' ? null : (JSON.parse(stdout) as Document), stderr };
}

/** The same, as people see it. */
export function opsTable(env: Record<string, string>, ...args: string[]) {
  return runTool('ops', args, env);
}
