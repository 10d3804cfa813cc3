import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Broker } from '@stockbroker/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { COMMAND_NAMES } from '../../tools/ops/runOps.ts';
import { CAUSES } from '../../tools/ops/whyStuck.ts';
import { closeBroker, openBroker } from '../support/broker.ts';

const root = join(import.meta.dirname, '..', '..');
const read = (file: string) => readFileSync(join(root, file), 'utf8');
const pages = globSync('docs/alerts/*.md', { cwd: root }).sort();
const expressionsOf = (page: string) => /```promql\n(.*?)\n```/s.exec(read(page))?.[1] ?? '';

let broker: Broker;
/** Names of all that the processes serve on /metrics, with the parts of histograms. */
const served = new Set<string>();
/** What processes served that have only just been started, by name. */
const atFirst = new Map<string, string>();
beforeAll(async () => {
  broker = await openBroker();
  const { gateways, workers, callbacks, exchange } = broker.system;
  for (const { name, endpoints } of [...gateways, ...workers, ...callbacks, exchange]) {
    const metrics = await (await fetch(`${endpoints.admin}/metrics`)).text();
    atFirst.set(name, metrics);
    if (name === 'exchange') continue; // Not the broker's: the alerts ask nothing of it.
    for (const [, name, type] of metrics.matchAll(/^# TYPE (\w+) (\w+)$/gm)) {
      served.add(name ?? '');
      if (type === 'histogram') for (const part of ['count', 'sum', 'bucket']) served.add(`${name}_${part}`);
    }
  }
});
afterAll(() => closeBroker(broker));

test.each(pages)('%s begins with expressions over metrics that are served', (page) => {
  const expressions = expressionsOf(page);
  const metrics = expressions.replaceAll(/\{[^}]*\}/g, '').match(/\b[A-Za-z]+(?:_[A-Za-z]+)+\b/g) ?? [];
  expect(metrics.length + (expressions.includes('up ==') ? 1 : 0)).toBeGreaterThan(0);
  expect(metrics.filter((name) => !served.has(name))).toEqual([]);
});

interface Series {
  name: string;
  labels: Record<string, string>;
}

function seriesOf(metrics: string): Series[] {
  return [...metrics.matchAll(/^(\w+)\{(.*)\} \S+$/gm)].map(([, name = '', labels = '']) => ({
    name,
    labels: Object.fromEntries([...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, label, value]) => [label, value])),
  }));
}

/** `increase` compares two values of a series: it misses the event with which one begins. */
test.each(pages)('%s asks for series that are there before their first event, each of its kinds', (page) => {
  const all = [...atFirst.values()].flatMap(seriesOf);
  for (const [, name = '', selector = ''] of expressionsOf(page).matchAll(/\b([a-z]+(?:_[A-Za-z]+)+)(?:\{([^}]*)\})?/g)) {
    const wanted = [...selector.matchAll(/(\w+)=~?"([^"]*)"/g)];
    for (const [, label = '', values = ''] of wanted)
      for (const value of values.split('|'))
        expect({ name, [label]: all.some((each) => each.name === name && each.labels[label] === value) && value }).toEqual({
          name,
          [label]: value,
        });
    expect(all.map((each) => each.name)).toContain(name);
  }
});

test('no process serves a counter that begins with its first event', () => {
  for (const [process, metrics] of atFirst) {
    const names = new Set(seriesOf(metrics).map(({ name }) => name));
    const counters = [...metrics.matchAll(/^# TYPE (\w+) counter$/gm)].map(([, name = '']) => name);
    expect(counters).toContain('log_lines_dropped_total');
    expect({ process, missing: counters.filter((name) => !names.has(name)) }).toEqual({ process, missing: [] });
  }
});

test.each(pages)('%s says what it means, what to do and how it is tested, and stands in the index', (page) => {
  const text = read(page);
  expect(text.match(/^#+ .*$/gm)).toEqual([
    expect.stringMatching(/^# /),
    '## What it means',
    '## What to do',
    '## How it is tested',
  ]);
  expect(text.slice(text.indexOf('## What to do'))).toContain('npm run ops -- ');
  expect(text.slice(text.indexOf('## How it is tested'))).toMatch(/\.test\.ts\)/);
  expect(read('docs/alerts.md')).toContain(`](alerts/${page.split('/').at(-1)})`);
});

test('kinds of events, queues, commands, causes and variables that the pages name exist', () => {
  const all = ['docs/alerts.md', ...pages].map(read).join('\n');
  const named = (pattern: RegExp) => [...new Set([...all.matchAll(pattern)].map((match) => match[1] ?? ''))];
  const kinds = read('libs/trade-flow/src/ports.ts');
  expect(named(/kind="([^"]+)"/g).filter((kind) => !kinds.includes(`'${kind}'`))).toEqual([]);
  expect(named(/npm run ops -- (\w+)/g).filter((command) => !COMMAND_NAMES.includes(command))).toEqual([]);
  const variables = read('docs/configuration.md');
  expect(named(/`([A-Z]+(?:_[A-Z]+)+)`/g).filter((name) => !variables.includes(`\`${name}\``))).toEqual([]);
  const table = named(/^\| (`[a-z-]+`(?:, `[a-z-]+`)*) \|/gm).flatMap((cell) => cell.replaceAll('`', '').split(', '));
  expect(table.toSorted()).toEqual(CAUSES.toSorted());
});

test('every kind of event that is logged as an error has a page', () => {
  const levels = read('libs/trade-flow/src/report.ts');
  const errors = [...(/((?:case '[a-z-]+':\s+)+)return 'error'/.exec(levels)?.[1]?.matchAll(/'([a-z-]+)'/g) ?? [])];
  expect(errors.length).toBeGreaterThan(0);
  for (const [, kind] of errors) expect(pages).toContain(`docs/alerts/${kind}.md`);
});
