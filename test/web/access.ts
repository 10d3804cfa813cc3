import type { Customer } from '@stockbroker/testkit';
import { PATIENCE } from '@stockbroker/testkit/patience';
import { parseUsd as usd } from '@stockbroker/trading';
import { beforeAll, expect, test } from 'vitest';
import { type Desks, order, reads, violations } from './desk.ts';

const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };

/** Who can use it: with a keyboard, on a phone, with eyes of any kind. */
export function accessTests(desks: () => Desks): void {
  let alice: Customer;
  let rejected: Awaited<ReturnType<Customer['buys']>>;
  beforeAll(async () => {
    const { broker } = desks();
    alice = await broker.customer({ cash: usd('10000.00'), shares: { MSFT: 3, AAPL: 2 } });
    await broker.exchange.fills(await alice.buys(10, 'AAPL'), { price: usd('99.9900') });
    rejected = await alice.buys(1_000, 'AAPL');
    await alice.ended(rejected);
  });

  test('axe finds nothing on a desktop, in any state of the page, light or dark', async () => {
    const page = await desks().open(alice);
    await reads(page, '.price', '$99.50');
    await page.getByRole('button', { name: 'Review buy' }).click();
    await page.getByRole('combobox', { name: /Search/ }).fill('A');
    await page.locator('.order summary').first().click();
    expect(await violations(page)).toEqual([]);
    await order(page, 'Sell', 3, { place: false });
    expect(await violations(page)).toEqual([]);
    await page.getByRole('button', { name: 'Place sell order' }).click();
    const trade = await alice.placedElsewhere(rejected);
    expect(await violations(page)).toEqual([]);
    await desks().broker.exchange.fills(trade, { price: usd('99.00') });
  });

  test('axe finds nothing on a phone, in any part of the page, light or dark', async () => {
    const page = await desks().open(alice, PHONE);
    await reads(page, '.price', '$99.50');
    for (const tab of ['Trade', 'Portfolio', 'Orders']) {
      await page.getByRole('button', { name: tab, exact: true }).click();
      expect(await violations(page)).toEqual([]);
    }
  });

  test('axe finds nothing where one signs in', async () => {
    const page = await (await desks().window()).newPage();
    await page.goto(desks().address);
    await page.getByRole('heading', { name: 'Stockbroker' }).waitFor();
    expect(await violations(page)).toEqual([]);
  });

  test('on a phone nothing is wider than the screen, and what is tapped is large enough', async () => {
    const page = await desks().open(alice, PHONE);
    await reads(page, '.price', '$99.50');
    for (const tab of ['Trade', 'Portfolio', 'Orders']) {
      await page.getByRole('button', { name: tab, exact: true }).click();
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390);
      const small = `[...document.querySelectorAll('.primary, .quiet, .tabs button, .segments label, .choice')]
      .map((each) => each.getBoundingClientRect()).filter(({ height }) => height > 0 && height < 24).length`;
      expect(await page.evaluate(small)).toBe(0);
    }
    expect(await page.locator('.orders').isVisible()).toBe(true);
    expect(await page.locator('.ticket').isVisible()).toBe(false);
  });

  test('with the keyboard alone: search, ticket, review and back, with the focus where it is looked for', async () => {
    const page = await desks().open(alice);
    const focuses = (what: string) =>
      expect
        .poll(() => page.evaluate('document.activeElement.id || document.activeElement.textContent'), {
          timeout: 30_000 * PATIENCE,
        })
        .toBe(what);
    await page.keyboard.press('Tab');
    await focuses('Skip to trading');
    await page.keyboard.press('/');
    await page.keyboard.type('MSF');
    await page.getByRole('option', { name: 'MSFT' }).waitFor();
    await page.keyboard.press('Enter');
    await reads(page, '.stock h2', /^MSFT/);
    // The list is closed: there is nothing to choose.
    await page.keyboard.press('Enter');
    await page.locator('#quantity').focus();
    await page.keyboard.type('7');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Buy 7 MSFT?' }).waitFor();
    await focuses('ticket-title');
    await page.keyboard.press('Tab');
    await focuses('Place buy order');
    await page.keyboard.press('Tab');
    await focuses('Back');
    await page.keyboard.press('Enter');
    await focuses('quantity');
    expect(await page.locator('#quantity').inputValue()).toBe('7');
  });

  test('the page may do what it needs and nothing else', async () => {
    const response = await fetch(desks().address);
    const policy = response.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe|\*/);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
      'permissions-policy': expect.stringContaining('camera=()'),
      'cache-control': 'no-cache',
    });
    expect(await response.text()).not.toMatch(/<script(?![^>]*src=)|<style|\son\w+=|style=/);
  });
}
