import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Broker, Customer } from '@stockbroker/testkit';
import { type Browser, type BrowserContext, openBrowser, type Page } from '@stockbroker/testkit/browser';
import { PATIENCE } from '@stockbroker/testkit/patience';
import { expect } from 'vitest';
import { buildPage } from '../../tools/buildPage.ts';
import { closeBroker, openBroker } from '../support/broker.ts';

type WindowOptions = NonNullable<Parameters<Browser['newContext']>[0]>;

const DESKTOP = { width: 1280, height: 900 };
/** For a busy machine. */
const PATIENCE_MS = 30_000 * PATIENCE;

/** A broker whose gateways serve the trading page, and a Chromium to look at it. */
export async function openDesks(options: Parameters<typeof openBroker>[0] = {}) {
  const env = { ...options.env, gateway: { GATEWAY_WEB_ROOT: await buildPage(), ...options.env?.gateway } };
  const [broker, browser] = await Promise.all([openBroker({ ...options, env }), openBrowser()]);
  return new Desks(broker, browser);
}

export class Desks {
  readonly broker: Broker;
  readonly browser: Browser;
  readonly #contexts: BrowserContext[] = [];
  /** What a browser complained of: errors of scripts, and what the policy of the page forbade. */
  readonly #complaints: string[] = [];

  constructor(broker: Broker, browser: Browser) {
    this.broker = broker;
    this.browser = browser;
  }

  get address(): string {
    const address = this.broker.gateway(0).endpoints.web;
    if (address === undefined) throw new Error('the gateway has told no address');
    return address;
  }

  /** A browser window, in which a customer is signed in. */
  async window(customer?: Customer, options: WindowOptions = {}): Promise<BrowserContext> {
    const context = await this.browser.newContext({ viewport: DESKTOP, reducedMotion: 'reduce', ...options });
    this.#contexts.push(context);
    context.setDefaultTimeout(PATIENCE_MS);
    if (customer !== undefined) await this.#signIn(context, customer);
    context.on('weberror', (error) => this.#complaints.push(String(error.error())));
    context.on('console', (message) => {
      // A server that is away is part of some tests; browsers tell of each call that failed.
      const isExpected = message.text().startsWith('Failed to load resource');
      if (message.type() === 'error' && !isExpected) this.#complaints.push(message.text());
    });
    return context;
  }

  async #signIn(context: BrowserContext, customer: Customer): Promise<void> {
    const session = { token: customer.token, name: 'Alice', expiresAtMs: Date.now() + 3_600_000 };
    await context.addInitScript(
      `if (origin !== 'null') sessionStorage.setItem('stockbroker.session', '${JSON.stringify(session)}')`,
    );
  }

  /** A tab of it with the page, connected. */
  async tab(context: BrowserContext): Promise<Page> {
    const page = await context.newPage();
    await page.goto(this.address);
    await page.getByRole('status', { name: 'Connection' }).getByText('Live').waitFor();
    return page;
  }

  async open(customer: Customer, options: WindowOptions = {}): Promise<Page> {
    return this.tab(await this.window(customer, options));
  }

  /** For afterEach. */
  async closeWindows(): Promise<void> {
    await Promise.all(this.#contexts.splice(0).map((context) => context.close()));
    expect(this.#complaints.splice(0)).toEqual([]);
  }

  async close(): Promise<void> {
    await this.browser.close();
    await closeBroker(this.broker);
  }
}

/** Fills the ticket in, reviews it, and places it, unless told to stop before. */
export async function order(page: Page, side: 'Buy' | 'Sell', quantity: number, { place = true } = {}): Promise<void> {
  const ticket = page.locator('.ticket');
  await ticket.getByRole('radio', { name: side }).check();
  await ticket.getByRole('textbox', { name: 'Shares' }).fill(String(quantity));
  await ticket.getByRole('button', { name: `Review ${side.toLowerCase()}` }).click();
  await ticket.getByRole('heading', { name: `${side} ${quantity}` }).waitFor();
  if (place) await ticket.getByRole('button', { name: `Place ${side.toLowerCase()} order` }).click();
}

/** Waits until the text of an element is so. */
export async function reads(page: Page, selector: string, expected: string | RegExp): Promise<void> {
  await expect.poll(() => page.locator(selector).innerText(), { timeout: PATIENCE_MS, interval: 50 }).toMatch(expected);
}

/** What axe finds against WCAG 2.2 A and AA, and good practice; the colours in light and in dark. */
export async function violations(page: Page): Promise<string[]> {
  await page.emulateMedia({ colorScheme: 'light' });
  // As the developer tools would run it: the page itself allows no other scripts.
  await page.evaluate(readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8'));
  const light = await run(page, 'axe.run()');
  await page.emulateMedia({ colorScheme: 'dark' });
  return [...light, ...(await run(page, "axe.run({ runOnly: ['color-contrast'] })"))];
}

async function run(page: Page, script: string): Promise<string[]> {
  const found = (await page.evaluate(script)) as {
    violations: { id: string; nodes: { html: string; failureSummary: string }[] }[];
  };
  return found.violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html}: ${failureSummary}`),
  );
}
