import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { expect, test } from 'vitest';
import { findChromium } from '../src/findChromium.ts';
import { newFolder } from './servers.ts';

const bundled = process.platform === 'linux' && process.arch === 'x64';

function program(folder: string, name: string, says: string): string {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\necho '${says}'\n`);
  chmodSync(path, 0o755);
  return path;
}

test('chromium: the chosen one is taken, or said to be unusable', async () => {
  const chosen = program(newFolder(), 'mine', 'Google Chrome 150.0.1');
  expect(await findChromium({ env: { CHROMIUM: chosen, PATH: '' } })).toEqual({ program: chosen, env: {} });
  const other = program(newFolder(), 'mine', 'Mosaic 1.0');
  await expect(findChromium({ env: { CHROMIUM: other } })).rejects.toThrow(
    /Chromium or Chrome .* CHROMIUM=.*is something else.*Install/,
  );
});

test('chromium: with none on PATH but one that is too old, the one of the dependencies runs, also for two who ask at once', async () => {
  const folder = newFolder();
  program(folder, 'chromium', 'Chromium 90.0.1');
  const told: string[] = [];
  const find = () => findChromium({ env: { PATH: folder }, log: (line) => told.push(line) });
  if (!bundled) return await expect(find()).rejects.toThrow('Install one');
  const [found, same] = await Promise.all([find(), find()]);
  expect(same).toEqual(found);
  expect(told).toContain(`${join(folder, 'chromium')} is of version 90: looking further`);

  const browser = await chromium.launch({ executablePath: found.program, args: ['--no-sandbox'], env: found.env });
  const page = await browser.newPage();
  await page.setContent('<span>a wide word</span>');
  // Letters have a width only where there is a font.
  expect(await page.locator('span').evaluate(({ offsetWidth }: { offsetWidth: number }) => offsetWidth)).toBeGreaterThan(20);
  await browser.close();
});
