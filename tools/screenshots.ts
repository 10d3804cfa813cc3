import { mkdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { BrokerClient, TradeType, webCalls } from '@stockbroker/client';
import { type Browser, openBrowser, type Page } from '@stockbroker/testkit/browser';
import { demoCustomers } from '@stockbroker/testkit/processes';
import { openRunFolder } from '@stockbroker/testkit/runs';
import { type Broker, BrokerProcesses } from './brokerProcesses.ts';
import { buildPage } from './buildPage.ts';
import { readArguments, runTool, UserError, wholeNumber } from './cli.ts';
import { Progress } from './progress.ts';

const HELP = `npm run screenshots: takes pictures of the trading page, on a throw-away broker where alice trades.

  npm run screenshots -- [options]
    --seconds N  how long to collect prices first, so that charts have something to show; default 150
    --to DIR     folder for the pictures; default docs/screenshots
    --help       this text
`;

const desktop = { viewport: { width: 1280, height: 880 }, deviceScaleFactor: 1 };
const phone = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };

await runTool(async () => {
  const { values } = readArguments(HELP, {
    seconds: { type: 'string', default: '150' },
    to: { type: 'string', default: resolve(import.meta.dirname, '../docs/screenshots') },
  });
  const seconds = wholeNumber('--seconds', values.seconds, { min: 1, max: 900 });
  const progress = new Progress(process.stdout);
  const dataDir = openRunFolder('screenshots');
  const processes = new BrokerProcesses({
    dataDir,
    databaseUrl: undefined,
    natsUrl: undefined,
    partitions: 100,
    accounts: demoCustomers,
    settings: { EXCHANGE_TICK_MS: '250', EXCHANGE_SEED: '11' },
    page: buildPage,
    onEvent: (line) => progress.line(line),
  });
  let browser: Browser | undefined;
  try {
    const broker = await processes.start();
    browser = await openBrowser();
    await trade(broker);
    progress.line(`watching prices for ${seconds} s`);
    await new Promise((done) => setTimeout(done, seconds * 1_000));
    mkdirSync(values.to, { recursive: true });
    await takeAll(broker, browser, (name) => join(values.to, `${name}.png`));
    progress.line(`pictures are in ${values.to}`);
  } finally {
    await browser?.close();
    await processes.stop();
    for (const folder of [dataDir, ...processes.dataFolders()]) rmSync(folder, { recursive: true, force: true });
  }
  return 0;
});

/** Something of everything: bought, sold, and rejected for want of cash. */
async function trade(broker: Broker): Promise<void> {
  const token = await tokenOf(broker);
  const client = new BrokerClient({ calls: webCalls({ url: addressOf(broker), token: () => token }) });
  const [buy, sell] = [TradeType.TRADE_TYPE_BUY, TradeType.TRADE_TYPE_SELL];
  const orders = [
    { type: buy, quantity: 40, stockTicker: 'NVDA' },
    { type: buy, quantity: 25, stockTicker: 'AAPL' },
    { type: sell, quantity: 20, stockTicker: 'MSFT' },
    { type: buy, quantity: 5_000, stockTicker: 'TSLA' },
    { type: buy, quantity: 12, stockTicker: 'TSLA' },
  ];
  for (const order of orders) await client.placeTrade(order);
}

async function takeAll(broker: Broker, browser: Browser, fileOf: (name: string) => string): Promise<void> {
  const session = JSON.stringify({ token: await tokenOf(broker), name: 'Alice', expiresAtMs: Date.now() + 3_600_000 });
  const open = async (options: typeof desktop | typeof phone, colorScheme: 'light' | 'dark'): Promise<Page> => {
    const context = await browser.newContext({ ...options, colorScheme, reducedMotion: 'reduce' });
    await context.addInitScript(`if (origin !== 'null') sessionStorage.setItem('stockbroker.session', '${session}')`);
    const page = await context.newPage();
    await page.goto(addressOf(broker));
    await page.getByText(/past (minute|\d+ min)/).waitFor();
    await page.locator('.chart canvas').first().waitFor();
    // Until the chart is drawn, also on a busy machine: nothing in the page tells of it.
    await new Promise((done) => setTimeout(done, 3_000));
    return page;
  };
  const desktopPage = await open(desktop, 'light');
  await desktopPage.getByRole('textbox', { name: 'Shares' }).fill('15');
  await desktopPage.evaluate('document.activeElement.blur()');
  await desktopPage.screenshot({ path: fileOf('desktop-light') });
  const darkPage = await open(desktop, 'dark');
  await place(darkPage);
  await darkPage.screenshot({ path: fileOf('desktop-dark') });
  const phonePage = await open(phone, 'light');
  await phonePage.screenshot({ path: fileOf('phone-light') });
  await phonePage.getByRole('button', { name: 'Orders', exact: true }).click();
  await phonePage.screenshot({ path: fileOf('phone-orders') });
  const phoneDark = await open(phone, 'dark');
  await phoneDark.getByRole('button', { name: 'Portfolio' }).click();
  await phoneDark.screenshot({ path: fileOf('phone-dark') });
}

/** An order, up to its fill. */
async function place(page: Page): Promise<void> {
  await page.getByRole('textbox', { name: 'Shares' }).fill('10');
  await page.getByRole('button', { name: 'Review buy' }).click();
  await page.getByRole('button', { name: 'Place buy order' }).click();
  await page.locator('.life .done', { hasText: 'Filled' }).waitFor();
}

async function tokenOf({ system }: Broker): Promise<string> {
  const alice = demoCustomers.find(({ name }) => name === 'alice');
  if (alice === undefined) throw new UserError('There is no demo customer alice.');
  return system.issuer.tokenFor(alice.customerId);
}

function addressOf({ system }: Broker): string {
  const address = system.gateways[0]?.endpoints.web;
  if (address === undefined) throw new Error('the gateway has told no address');
  return address;
}
