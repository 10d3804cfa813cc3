import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const CLI = join(import.meta.dirname, '../../tools/cli.ts');
const BYTES = 3_000_000;

test('a tool ends with its code, whatever is still open, when its whole output was taken', async () => {
  const script = `const { runTool } = await import(${JSON.stringify(CLI)});
    setInterval(() => {}, 1_000);
    await runTool(async () => { process.stdout.write('x'.repeat(${BYTES})); process.stderr.write('y'.repeat(${BYTES})); return 7; });`;
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', script]);
  let [written, told] = [0, 0];
  child.stdout.on('data', (chunk: Buffer) => {
    written += chunk.length;
  });
  child.stderr.on('data', (chunk: Buffer) => {
    told += chunk.length;
  });
  const code = await new Promise((resolve) => child.once('close', resolve));
  expect({ code, written, told }).toEqual({ code: 7, written: BYTES, told: BYTES });
});
