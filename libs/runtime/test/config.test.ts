import { expect, test } from 'vitest';
import {
  backoffMs,
  ConfigError,
  describeVariables,
  fraction,
  integer,
  list,
  oneOf,
  readConfig,
  text,
  url,
} from '../src/index.ts';

const variables = {
  HOST: text('Host.', { default: 'localhost' }),
  PORT: integer('Port.', { min: 0, max: 65_535 }, { default: '80' }),
  URL: url('Database.', ['postgresql'], { secret: true }),
  MODE: oneOf('Mode.', ['fast', 'safe'], { default: 'safe' }),
  RATE: fraction('Rate.', { default: '0.5' }),
  NAMES: list('Names.', { default: '' }),
};

test('config: reads what is set, and defaults for the rest', () => {
  const config = readConfig('app', variables, { URL: 'postgresql://h/db', NAMES: 'a, b', PORT: '8080' });
  expect(config).toEqual({ HOST: 'localhost', PORT: 8080, URL: 'postgresql://h/db', MODE: 'safe', RATE: 0.5, NAMES: ['a', 'b'] });
});

test('config: names every problem at once, and shows no secret', () => {
  const environment = { PORT: '70000', URL: 'mysql://root:hunter2@h/db', MODE: 'quick', RATE: '2' };
  const problems = (() => {
    try {
      readConfig('app', variables, environment);
      return [];
    } catch (error) {
      return (error as ConfigError).problems;
    }
  })();
  expect(problems).toHaveLength(4);
  expect(problems.join('\n')).toMatch(/PORT must be a whole number from 0 to 65535, but is "70000"/);
  expect(problems.join('\n')).toMatch(/MODE must be one of fast, safe/);
  expect(problems.join('\n')).toMatch(/URL must be a URL that begins with postgresql:\/\/, but is \(secret\)/);
  expect(problems.join('\n')).not.toMatch(/hunter2/);
});

test('config: a required variable that is missing is named with its meaning', () => {
  expect(() => readConfig('app', variables, {})).toThrow(new ConfigError('app', ['URL is not set: Database.']));
});

test('config: a required variable that is empty, as an unset one of a shell makes it, is no key or name', () => {
  expect(() => readConfig('app', { KEY: text('Key.', { secret: true }) }, { KEY: '' })).toThrow(
    new ConfigError('app', ['KEY is empty: Key.']),
  );
});

test('config: the documentation has a row for each variable, with its default and the values it takes', () => {
  expect(describeVariables(variables).split('\n').slice(2)).toEqual([
    '| `HOST` | `localhost` | text | Host. |',
    '| `PORT` | `80` | 0 to 65535 | Port. |',
    '| `URL` | required | postgresql:// | Database. |',
    '| `MODE` | `safe` | fast, safe | Mode. |',
    '| `RATE` | `0.5` | 0 to 1 | Rate. |',
    '| `NAMES` | empty | a list, separated by commas | Names. |',
  ]);
});

test('backoff: grows, is bounded, and never is zero', () => {
  expect(backoffMs(0, 0)).toBe(10);
  expect(backoffMs(3, 0.999)).toBe(799);
  expect(backoffMs(1_000, 0.999)).toBe(9_990);
});
