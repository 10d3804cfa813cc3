import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, globSync, lstatSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { postgresAccount, postgresPrograms } from '../src/postgresFiles.ts';

/** The package as npm unpacks it, before its install script: without a symbolic link. */
async function unpacked(): Promise<{ folder: string; programs: { initdb: string; postgres: string } }> {
  const folder = mkdtempSync(join(tmpdir(), 'stockbroker-unpacked-'));
  chmodSync(folder, 0o755);
  const installed = await postgresPrograms(undefined, () => {});
  const native = join(folder, 'package', 'native');
  cpSync(dirname(dirname(installed.postgres)), native, {
    recursive: true,
    filter: (source) => !lstatSync(source).isSymbolicLink(),
  });
  writeFileSync(join(folder, 'package', 'package.json'), JSON.stringify({ version: `0.0.0-${process.pid}` }));
  onTestFinished(() => {
    rmSync(folder, { recursive: true, force: true });
    for (const copy of copies()) rmSync(copy, { recursive: true, force: true });
  });
  return { folder, programs: { initdb: join(native, 'bin/initdb'), postgres: join(native, 'bin/postgres') } };
}

const copies = () =>
  ['/var/lib/stockbroker', join(tmpdir(), 'stockbroker-root'), join(import.meta.dirname, '../../../.stockbroker/bin')].flatMap(
    (folder) => globSync(join(folder, `postgres-0.0.0-${process.pid}*`)),
  );

const runs = (program: string) => spawnSync(program, ['--version']).status === 0;
const account = postgresAccount('/nonexistent');

test('PostgreSQL whose install script was not run: what that would have made is made', async () => {
  const { programs } = await unpacked();
  expect(runs(programs.postgres)).toBe(false);
  const usable = await postgresPrograms(account, () => {}, programs);
  expect(execFileSync(usable.postgres, ['--version'], { encoding: 'utf8' })).toContain('PostgreSQL');
  expect(runs(usable.initdb)).toBe(true);
});

test.runIf(process.getuid?.() === 0)('the same below a folder that others cannot enter: the copy is whole', async () => {
  const { folder, programs } = await unpacked();
  chmodSync(folder, 0o700);
  const usable = await postgresPrograms(account, () => {}, programs);
  expect(usable.postgres).not.toBe(programs.postgres);
  expect(spawnSync(usable.postgres, ['--version'], { ...account, cwd: '/' }).status).toBe(0);
});

test.runIf(process.getuid?.() === 0)(
  'a PostgreSQL that cannot run is refused in a sentence, and no copy of it is left',
  async () => {
    const { folder, programs } = await unpacked();
    chmodSync(folder, 0o700);
    const libraries = join(folder, 'package/native/lib');
    for (const name of readdirSync(libraries).filter((each) => each.startsWith('libicu'))) rmSync(join(libraries, name));
    await expect(postgresPrograms(account, () => {}, programs)).rejects.toThrow(
      /^the PostgreSQL of .* does not run on this machine: install its package again with npm ci$/,
    );
    expect(copies()).toEqual([]);
  },
);
