import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { reasonOf, reasonsOf } from '../src/reasonOf.ts';

test.each<[string, unknown, string]>([
  ['a message', new Error(' it broke \n'), 'it broke'],
  ['several addresses', new AggregateError([new Error('a'), new Error('b'), new Error('a')]), 'a; b'],
  ['no message', Object.assign(new Error(''), { code: 'EPIPE' }), 'EPIPE'],
  ['neither', new TypeError(''), 'TypeError'],
  ['a cause', new Error('', { cause: new AggregateError([new Error('refused')]) }), 'refused'],
  ['nothing', undefined, 'no reason was given'],
  ['an empty text', '', 'no reason was given'],
  ['a text', 'gone', 'gone'],
  ['an aggregate of nothing', new AggregateError([]), 'AggregateError'],
])('an error with %s says why', (_what, error, reason) => {
  expect(reasonOf(error)).toBe(reason);
});

test('a connection refused at both addresses of localhost, and a fetch, say so', async () => {
  const refused = await new Promise<Error>((resolve) => {
    const lookup = (_host: string, _options: object, done: (error: null, all: object[]) => void) =>
      done(null, [
        { address: '127.0.0.1', family: 4 },
        { address: '127.0.0.2', family: 4 },
      ]);
    connect({ host: 'anywhere', port: 1, lookup: lookup as never }).once('error', resolve);
  });
  expect(refused.message).toBe('');
  expect(reasonOf(refused)).toBe('connect ECONNREFUSED 127.0.0.1:1; connect ECONNREFUSED 127.0.0.2:1');
  const fetched = await fetch('http://127.0.0.1:2/').catch((error: unknown) => error);
  expect(reasonOf(fetched)).toBe('connect ECONNREFUSED 127.0.0.1:2');
});

test.each<[string, unknown, string]>([
  ['one', new Error('gone'), 'gone'],
  ['a cause', new Error('no database', { cause: new Error('too many clients') }), 'no database: too many clients'],
  ['the cause in its message', new Error('x cannot be read: ENOENT', { cause: new Error('ENOENT') }), 'x cannot be read: ENOENT'],
  ['a failed fetch', new TypeError('fetch failed', { cause: new Error('refused') }), 'refused'],
  ['nothing', undefined, 'no reason was given'],
])('all reasons of an error with %s are said once', (_what, error, reasons) => {
  expect(reasonsOf(error)).toBe(reasons);
});

test('the reasons of an error that is its own cause come to an end', () => {
  const error = new Error('round');
  error.cause = error;
  expect(reasonsOf(error)).toBe('round');
});
