import { parseUsd as usd } from '@stockbroker/trading';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Desks, openDesks, reads } from './desk.ts';
import { openSmallIssuer, type SmallIssuer } from './smallIssuer.ts';

let issuer: SmallIssuer;
let desks: Desks;
beforeAll(async () => {
  issuer = await openSmallIssuer();
  desks = await openDesks({
    quotes: { AAPL: { bid: '99.00', ask: '100.00' } },
    env: { gateway: { AUTH_ISSUER: issuer.address } },
  });
});
afterEach(() => desks.closeWindows());
afterAll(async () => {
  issuer?.close();
  await desks?.close();
});

async function customer() {
  const alice = await desks.broker.customer({ cash: usd('1234.50') });
  issuer.gives = {
    token: await desks.broker.system.issuer.tokenFor(alice.id, { issuer: issuer.address }),
    expiresInSeconds: 3_600,
  };
  issuer.grants.length = 0;
}

test('signing in by authorization code with PKCE, and out again', async () => {
  await customer();
  const page = await (await desks.window()).newPage();
  await page.goto(desks.address);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await reads(page, '.summary', /Spendable cash\s+\$1,234\.50/);
  await reads(page, '.user-name', 'Alice Example');
  // Nothing of it is left in the address, or for another use.
  expect(page.url()).toBe(`${desks.address}/`);
  expect(await page.evaluate('Object.keys(sessionStorage)')).toEqual(['stockbroker.session']);
  expect(issuer.grants).toEqual(['authorization_code']);
  await page.reload();
  await reads(page, '.summary', /\$1,234\.50/);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('button', { name: 'Sign in' }).waitFor();
  expect(await page.evaluate('Object.keys(sessionStorage)')).toEqual([]);
  await expect.poll(() => issuer.revoked, { timeout: 30_000 }).toEqual(['good']);
});

test('a token that is about to end is renewed before it is used', async () => {
  await customer();
  issuer.gives.expiresInSeconds = 10;
  const page = await (await desks.window()).newPage();
  await page.goto(desks.address);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await reads(page, '.summary', /\$1,234\.50/);
  expect(issuer.grants.slice(0, 2)).toEqual(['authorization_code', 'refresh_token']);
});

test.each([
  ['a code that this tab has not asked for', '?code=stolen&state=another', 'That sign-in did not begin here.'],
  ['a refusal that it has not asked for', '?error=access_denied&state=another', 'That sign-in did not begin here.'],
])('%s is not used', async (_what, query, says) => {
  await customer();
  const page = await (await desks.window()).newPage();
  await page.goto(`${desks.address}/${query}`);
  await reads(page, '[role="alert"]', says);
  expect(issuer.grants).toEqual([]);
});

test('an issuer that does not answer is told', async () => {
  const context = await desks.window();
  await context.route(`${issuer.address}/**`, (route) => route.abort());
  const page = await context.newPage();
  await page.goto(desks.address);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await reads(page, '[role="alert"]', 'The sign-in service does not answer.');
});
