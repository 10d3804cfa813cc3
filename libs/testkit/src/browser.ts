import { type Browser, chromium } from 'playwright-core';
import { findChromium } from './findChromium.ts';
import { ownEnvironment } from './ownEnvironment.ts';

export type { Browser, BrowserContext, Page } from 'playwright-core';
export { NoChromiumError } from './findChromium.ts';

/** Only pages of ours are opened, so that the sandbox, which not every machine allows, protects nothing. The rest keeps it quiet. */
const flags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/**
 * A headless Chromium, in about a second, with a profile of its own: `close()` it. It ends with this process as well.
 *
 * @throws NoChromiumError
 */
export async function openBrowser(): Promise<Browser> {
  // Unpacking takes a while: it is told, wherever that happens.
  const { program, env } = await findChromium({ log: (line) => void process.stderr.write(`${line}\n`) });
  return chromium.launch({ executablePath: program, args: flags, env: ownEnvironment(env) });
}
