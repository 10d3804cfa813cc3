import { expect, test } from 'vitest';
import { moduleOfSource, modulesOfBundles } from '../../tools/bench/profile/modules.ts';
import { allocatedBytes, processorTime } from '../../tools/bench/profile/sums.ts';

const frame = (functionName: string, url = '') => ({ functionName, url, scriptId: '0', lineNumber: 0, columnNumber: 0 });
const moduleOf = ({ url }: { url: string }) => (url === '' ? undefined : url);

test('profile: time goes to the module of the function, or of whoever called it from JavaScript; time without work to nobody', () => {
  const profile = {
    startTime: 0,
    endTime: 100,
    nodes: [
      { id: 1, callFrame: frame('(root)'), children: [2, 3, 4, 5] },
      { id: 2, callFrame: frame('(idle)') },
      { id: 3, callFrame: frame('(garbage collector)') },
      { id: 4, callFrame: frame('(program)') },
      { id: 5, callFrame: frame('write', 'pino'), children: [6] },
      { id: 6, callFrame: frame('byteLength'), children: [7] },
      { id: 7, callFrame: frame('done', 'pg') },
    ],
    samples: [2, 3, 4, 5, 6, 7, 2],
    timeDeltas: [1, 2, 4, 8, 16, 32, 64],
  };
  expect(Object.fromEntries(processorTime(profile, moduleOf))).toEqual({
    'garbage collection': 2,
    'outside JavaScript': 4,
    pino: 24,
    pg: 32,
  });
});

test('profile: bytes go to the module of the function, or of whoever called it from JavaScript', () => {
  const leaf = (name: string, url: string, selfSize: number) => ({ id: 1, callFrame: frame(name, url), selfSize, children: [] });
  const head = {
    ...leaf('(root)', '', 1),
    children: [{ ...leaf('write', 'pino', 2), children: [leaf('concat', '', 4)] }, leaf('Buffer', '', 8)],
  };
  expect(Object.fromEntries(allocatedBytes({ head }, moduleOf))).toEqual({ 'outside JavaScript': 9, pino: 6 });
});

test.each([
  ['../../node_modules/pg/lib/client.js', 'pg'],
  ['../../node_modules/@grpc/grpc-js/node_modules/long/index.js', 'long'],
  ['../../node_modules/@grpc/grpc-js/build/src/call.js', '@grpc/grpc-js'],
  ['../../libs/store/src/statement.ts', 'libs/store'],
  ['apps/gateway/src/main.ts', 'apps/gateway'],
])('profile: %s is of %s', (source, module) => {
  expect(moduleOfSource(source)).toBe(module);
});

test('profile: Node’s own modules have their names, native functions none', () => {
  const names = ['node:internal/http2/core', 'node:events', '', 'node:inspector'].map((url) =>
    modulesOfBundles()(frame('f', url)),
  );
  expect(names).toEqual(['node:http2', 'node:events', undefined, 'the profile itself']);
});
