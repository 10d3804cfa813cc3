import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { PATIENCE } from '@stockbroker/testkit/patience';
import { expect, test, vi } from 'vitest';
import { newDataFolder, runTool, startTool } from './tool.ts';

/** For a busy machine. */
const eventually = { timeout: 150_000 * PATIENCE, interval: 50 };

test(
  'start, trade, kill, stop, start again: nothing is lost and no process is left',
  async () => {
    const env = { STOCKBROKER_DATA_DIR: newDataFolder() };
    const trade = async (...args: string[]) => {
      const { code, stdout } = await runTool('trade', [...args, '--json'], env);
      return { code, ...JSON.parse(stdout) };
    };

    const first = startTool('start', [], env);
    await vi.waitUntil(() => first.stdout().includes('npm run trade -- buy AAPL 10'), eventually);
    const bought = await trade('buy', 'AAPL', '10');
    expect(bought).toMatchObject({
      code: 0,
      trade: { status: 'TRADE_STATUS_FILLED', stockTicker: 'AAPL', quantity: 10 },
      account: { positions: [{ stockTicker: 'AAPL', quantity: '110' }, { stockTicker: 'MSFT' }] },
    });
    expect(Number(bought.account.cash)).toBeCloseTo(100_000 - Number(bought.cost), 4);
    expect(await trade('sell', 'KO', '1', '--customer', 'bob')).toMatchObject({
      code: 2,
      trade: { status: 'TRADE_STATUS_REJECTED', rejectCode: 'REJECT_CODE_INSUFFICIENT_SHARES' },
    });
    expect(await runTool('start', [], env)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`npm start is already running on ${env.STOCKBROKER_DATA_DIR} (process `),
    });

    expect(await runTool('ops', ['books'], env)).toMatchObject({
      code: 0,
      stdout: 'The books are exact: 4 customers and 0 open trades.\n',
    });
    expect(await runTool('ops', ['reconcile'], env)).toMatchObject({ code: 0, stdout: expect.stringContaining('1 order,') });
    expect(await runTool('ops', ['leases', '--patience', '20s'], env)).toMatchObject({ code: 0 });

    const worker = processesBelow(first.pid).find(({ command }) => command.includes('apps/worker'));
    process.kill(worker?.pid ?? 0, 'SIGKILL');
    await vi.waitUntil(() => /worker-\d runs again/.test(first.stdout()), eventually);
    const running = processesBelow(first.pid);
    expect(running.filter(({ command }) => command.includes('apps/'))).toHaveLength(6);
    first.signal('SIGTERM');
    expect(await first.exited).toBe(0);
    expect(running.filter(({ pid }) => isAlive(pid))).toEqual([]);

    const second = startTool('start', [], env);
    await vi.waitUntil(() => second.stdout().includes('npm run trade'), eventually);
    expect(await trade('account')).toMatchObject({ cash: bought.account.cash });
    expect((await trade('list')).trades).toEqual([bought.trade]);
    second.signal('SIGINT');
    expect(await second.exited).toBe(0);
    expect((await runTool('trade', ['account'], env)).stderr).toContain('No broker is running here');
  },
  300_000 * PATIENCE,
);

test(
  'PostgreSQL whose data were deleted while it ran is not started again on an empty database',
  async () => {
    const dataDir = newDataFolder();
    const start = startTool('start', [], { STOCKBROKER_DATA_DIR: dataDir });
    await vi.waitUntil(() => start.stdout().includes('npm run trade'), eventually);
    const postgres = processesBelow(start.pid).find(({ command }) => command.includes('bin/postgres'));
    process.kill(postgres?.pid ?? 0, 'SIGKILL');
    rmSync(join(dataDir, 'postgres'), { recursive: true, force: true, maxRetries: 10 });
    await vi.waitUntil(() => /PostgreSQL (did not start: its data in .* are gone|runs again)/.test(start.stdout()), eventually);
    expect(start.stdout()).toContain('are gone: stop with Ctrl-C, then start anew');
    start.signal('SIGINT');
    expect(await start.exited).toBe(0);
  },
  300_000 * PATIENCE,
);

interface Process {
  pid: number;
  command: string;
}

/** Children, their children, and so on. */
function processesBelow(parent: number): Process[] {
  const found = readdirSync('/proc').flatMap((name): Process[] => {
    const stat = /^\d+$/.test(name) ? read(`/proc/${name}/stat`) : '';
    const [, parentOfIt] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return Number(parentOfIt) === parent ? [{ pid: Number(name), command: read(`/proc/${name}/cmdline`) }] : [];
  });
  return found.flatMap((each) => [each, ...processesBelow(each.pid)]);
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // gone meanwhile
  }
}

function isAlive(pid: number): boolean {
  return read(`/proc/${pid}/stat`) !== '';
}
