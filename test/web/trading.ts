import { RejectCode } from '@stockbroker/rpc/stockbroker';
import { PATIENCE } from '@stockbroker/testkit/patience';
import { parseUsd as usd } from '@stockbroker/trading';
import { expect, test } from 'vitest';
import { type Desks, order, reads, violations } from './desk.ts';

/** What one trades with. */
export function tradingTests(desks: () => Desks): void {
  test('a buy and a sell: found by search, estimated, reviewed, placed, followed to the fill, and seen in cash and positions', async () => {
    const { broker } = desks();
    const alice = await broker.customer({ cash: usd('10000.00'), shares: { AAPL: 5 } });
    const page = await desks().open(alice);
    await page.keyboard.press('/');
    await page.keyboard.type('micr');
    await page.getByRole('option', { name: 'MSFT' }).waitFor();
    await page.keyboard.press('Enter');
    await reads(page, '.stock h2', /^MSFT Microsoft/);
    await reads(page, '.price', '$49.50');
    await order(page, 'Buy', 10, { place: false });
    // 50.00 × 1.05 × 10 is held; 500.00 is expected.
    await reads(page, '.review .figures', /Estimated cost\s+\$500\.00\s+At most, at this price\s+\$525\.00/);
    await page.getByRole('button', { name: 'Place buy order' }).click();
    await reads(page, '.life', /Placed/);
    const buy = await alice.placedElsewhere();
    await broker.exchange.receives(buy);
    await page.locator('.life .current', { hasText: 'Sent to the exchange' }).waitFor();
    await reads(page, '.summary', /Held for open buys\s+\$525\.00/);
    await broker.exchange.fills(buy, { price: usd('49.9000') });
    await reads(page, '.life', /Filled.*Cost \$499\.00, \$49\.90 a share\./s);
    await reads(page, '.summary', /Spendable cash\s+\$9,501\.00/);
    // Worth 49.50 each: 4.00 less than they cost. What came with the account has no known cost.
    await reads(page, '.positions', /MSFT\s*10 shares\s*\$495\.00\s*\$49\.50 a share\s*▼−\$4\.00 \(−0\.80 %\)/);
    await reads(page, '.positions', /AAPL\s*5 shares\s*\$497\.50.*Not known: these came with the account/s);
    await page.getByRole('button', { name: 'New order' }).click();
    await order(page, 'Sell', 4);
    const sell = await alice.placedElsewhere(buy);
    await broker.exchange.fills(sell, { price: usd('50.0000') });
    await reads(page, '.life', /Brought \$200\.00, \$50\.00 a share\./);
    await reads(page, '.orders', /Sell 4 MSFT\s+Filled.*Buy 10 MSFT\s+Filled/s);
    await reads(page, '.positions', /MSFT\s*6 shares/);
    await reads(page, '[aria-label="News of your orders"]', 'Sell 4 MSFT: filled at $50.00 a share.');
  });

  test('the price, its change and the chart follow the market', async () => {
    const { broker } = desks();
    const page = await desks().open(await broker.customer({ shares: { AAPL: 3 } }));
    await reads(page, '.price', '$99.50');
    await broker.exchange.quotes('AAPL', { bid: '101.00', ask: '102.00' });
    await reads(page, '.price', '$101.50');
    await reads(page, '.since', /▲\s*\+\$2\.00 \(\+2\.01 %\) past minute/);
    await reads(page, '.positions', /\$304\.50/);
    await page.getByRole('img', { name: /^Chart of AAPL: from \$99\.50 to \$101\.50/ }).waitFor();
    // Drawn in the colour of a gain.
    const drawn = `[...document.querySelectorAll('.chart canvas')].filter(({ offsetWidth }) => offsetWidth > 300).some((canvas) => {
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    for (let i = 0; i < data.length; i += 4) if (data[i] === 7 && data[i + 1] === 115 && data[i + 2] === 71) return true;
    return false;
  })`;
    await expect.poll(() => page.evaluate(drawn), { timeout: 30_000 * PATIENCE }).toBe(true);
    // Another stock is counted from its own prices.
    await page.getByRole('combobox', { name: /Search stocks/ }).fill('MSFT');
    await page.keyboard.press('Enter');
    await reads(page, '.since', /\$0\.00 \(0\.00 %\) past minute/);
    await broker.exchange.quotes('AAPL', { bid: '99.00', ask: '100.00' });
  });

  test('a rejection tells why, with its figures, in plain words', async () => {
    const carol = await desks().broker.customer({ cash: usd('1000.00') });
    const page = await desks().open(carol);
    await reads(page, '.stock h2', /^AAPL/);
    await page.getByRole('textbox', { name: 'Shares' }).fill('10');
    await reads(page, '.ticket .warning', /may need more cash than you have/);
    await order(page, 'Buy', 10);
    await carol.placedElsewhere();
    const why = 'Not enough cash: this buy needed $1,050.00, and you had $1,000.00 to spend.';
    await reads(page, '.life .bad', why);
    await reads(page, '.orders', why);
    await page.getByRole('radio', { name: 'Filled' }).check();
    await reads(page, '.orders', /No filled orders/);
    await page.getByRole('radio', { name: 'Rejected' }).check();
    await reads(page, '.orders', why);
  });

  test('a double tap places one trade', async () => {
    const alice = await desks().broker.customer({ cash: usd('10000.00') });
    const page = await desks().open(alice);
    await order(page, 'Buy', 2, { place: false });
    await page.evaluate("const button = document.querySelector('.review .primary'); button.click(); button.click();");
    const trade = await alice.placedElsewhere();
    await desks().broker.exchange.fills(trade, { price: usd('100.00') });
    await reads(page, '.life', /Filled/);
    expect((await alice.calls().listTrades({})).trades).toHaveLength(1);
  });

  test('two tabs tell the same, each as it happens', async () => {
    const alice = await desks().broker.customer({ cash: usd('10000.00') });
    const context = await desks().window(alice);
    const [one, two] = [await desks().tab(context), await desks().tab(context)];
    await order(one, 'Buy', 3);
    await reads(two, '.orders', /Buy 3 AAPL/);
    await desks().broker.exchange.fills(await alice.placedElsewhere(), { price: usd('100.00') });
    for (const page of [one, two]) {
      await reads(page, '.orders', /Buy 3 AAPL\s+Filled/);
      await reads(page, '.summary', /Spendable cash\s+\$9,700\.00/);
    }
  });

  test('what is wrong with a quantity is said at the field, and the field has the focus', async () => {
    const page = await desks().open(await desks().broker.customer());
    await page.getByRole('button', { name: 'Review buy' }).click();
    const field = page.getByRole('textbox', { name: 'Shares' });
    expect(await page.evaluate('document.activeElement.id')).toBe('quantity');
    expect(await field.getAttribute('aria-invalid')).toBe('true');
    await reads(page, '#quantity-help', 'Enter how many shares.');
    await field.fill('1.5');
    await reads(page, '#quantity-help', 'Enter a whole number of shares.');
  });

  test('outside the session an order is queued for the open, waits, and is canceled or sent', async () => {
    const { broker } = desks();
    const alice = await broker.customer({ cash: usd('10000.00') });
    const page = await desks().open(alice);
    const closed = await broker.system.addWorker({ MARKET_HOURS: 'closed' });
    await broker.worker(0).stop();
    await order(page, 'Buy', 1);
    const early = await alice.placedElsewhere();
    await reads(page, '.life .bad', /Rejected.*The market is closed\. An order can be queued for the open\./s);
    await page.locator('.outcome').getByRole('button', { name: 'Queue for the open' }).click();
    await reads(page, '.review', /If the market is closed\s+Waits for the open.*Until then you can cancel/s);
    await page.getByRole('button', { name: 'Place buy order' }).click();
    const first = await alice.placedElsewhere(early);
    await reads(page, '.life .current', /It goes to the exchange when the market opens/);
    await page.getByRole('button', { name: 'New order' }).click();
    await page.getByRole('checkbox', { name: 'Queue for the open' }).check();
    await order(page, 'Buy', 2, { place: false });
    await page.getByRole('button', { name: 'Cancel Buy 1 AAPL' }).waitFor();
    expect(await violations(page)).toEqual([]);
    await page.getByRole('button', { name: 'Place buy order' }).click();
    const second = await alice.placedElsewhere(first);
    await reads(page, '.orders', /Buy 2 AAPL\s+Waiting for the open.*Buy 1 AAPL\s+Waiting for the open/s);
    // With the keyboard: what was canceled has the focus, and is told aloud.
    await page.getByRole('button', { name: 'Cancel Buy 1 AAPL' }).focus();
    await page.keyboard.press('Enter');
    await reads(page, '.orders', /Buy 1 AAPL\s+Canceled.*You canceled it before it was sent/s);
    await reads(page, '[aria-label="News of your orders"]', 'Buy 1 AAPL: canceled.');
    await expect
      .poll(() => page.evaluate('document.activeElement.textContent'), { timeout: 30_000 * PATIENCE })
      .toMatch(/^Buy 1 AAPLCanceled/);
    await broker.system.addWorker();
    await closed.stop();
    await broker.exchange.fills(second, { price: usd('100.00') });
    await reads(page, '.orders', /Buy 2 AAPL\s+Filled/);
    expect(await page.getByRole('button', { name: 'Cancel' }).count()).toBe(0);
    expect(await alice.trade(first)).toMatchObject({ rejectCode: RejectCode.REJECT_CODE_CANCELED });
  });

  test('a halted stock and an empty account say so', async () => {
    const page = await desks().open(await desks().broker.customer());
    await reads(page, '.positions', /No positions yet/);
    await reads(page, '.orders', /No orders yet/);
    await page.getByRole('combobox', { name: /Search stocks/ }).fill('KO');
    await page.keyboard.press('Enter');
    await reads(page, '.stock', /Trading in KO is halted/);
  });
}
