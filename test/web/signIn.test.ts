import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '@stockbroker/testkit';
import { parseUsd as usd } from '@stockbroker/trading';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Person } from '../../tools/issuer/authorize.ts';
import { type IssuerServer, startIssuer } from '../../tools/issuer/issuerServer.ts';
import { type Desks, openDesks, violations } from './desk.ts';

const folder = mkdtempSync(join(tmpdir(), 'stockbroker-sign-in-'));
const people: Person[] = [];
let issuer: IssuerServer;
let desks: Desks;
beforeAll(async () => {
  issuer = await startIssuer({ dir: folder, port: 0, people, tokenSeconds: 1 }); // The gateway forgives five more.
  desks = await openDesks({ issuer: issuer.keys });
  issuer.allow(desks.address);
  for (const name of ['alice', 'bob']) {
    const { id } = await desks.broker.customer({ cash: usd(name === 'alice' ? '4321.00' : '77.00') });
    people.push({ name, customerId: id });
  }
});
afterEach(() => desks.closeWindows());
afterAll(async () => {
  await desks?.close();
  await issuer.stop();
  rmSync(folder, { recursive: true });
});

async function leave() {
  const page = await (await desks.window()).newPage();
  await page.goto(desks.address);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  return page;
}

test('signing in as a customer in the browser, from the trading page and back to it; also after the issuer has changed its key', async () => {
  for (const [name, cash] of [
    ['Alice', '4,321.00'],
    ['Bob', '77.00'],
  ] as const) {
    const page = await leave();
    await page.getByRole('button', { name }).click();
    await page.getByRole('status', { name: 'Connection' }).getByText('Live').waitFor();
    expect(page.url()).toBe(`${desks.address}/`);
    await page.getByText(name, { exact: true }).waitFor();
    await page.getByText(cash).first().waitFor();
    // Nothing of it is left for another use, and it outlives a reload.
    expect(await page.evaluate('Object.keys(sessionStorage)')).toEqual(['stockbroker.session']);
    await page.reload();
    await page.getByText(cash).first().waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('button', { name: 'Sign in' }).waitFor();
    expect(await page.evaluate('Object.keys(sessionStorage)')).toEqual([]);
    if (name === 'Alice') await issuer.keys.rotate();
  }
});

test('the issuer’s page: nothing that axe finds; whoever cancels is told so by the trading page', async () => {
  const page = await leave();
  expect(await violations(page)).toEqual([]);
  await page.getByRole('button', { name: 'Cancel' }).click();
  await page.getByRole('alert').getByText('nobody signed in').waitFor();
});

test('a page stays signed in when its token ends: it has the next one, and goes on by itself', async () => {
  const page = await leave();
  await page.getByRole('button', { name: 'Alice' }).click();
  const live = page.getByRole('status', { name: 'Connection' }).getByText('Live');
  await live.waitFor();
  const ended = async () => {
    const text = await (await fetch(`${desks.broker.gateway(0).endpoints.admin}/metrics`)).text();
    return /^rpc_server_seconds_count\{.*WatchTrades.*code="UNAUTHENTICATED".*\} (\d+)$/m.exec(text)?.[1];
  };
  const before = Number((await ended()) ?? 0);
  await eventually(ended, (count) => Number(count) >= before + 2, { everyMs: 200 });
  await live.waitFor();
  expect(await page.getByText('Sign in again').count()).toBe(0);
  // Signing out stands when a renewal is answered after it.
  const { promise: signedOut, resolve: answer } = Promise.withResolvers<void>();
  const { promise: renewing, resolve: asked } = Promise.withResolvers<void>();
  await page.route('**/token', async (route) => {
    const response = await route.fetch();
    asked();
    await signedOut;
    await route.fulfill({ response });
  });
  await renewing;
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('button', { name: 'Sign in' }).waitFor();
  const renewed = page.waitForEvent('requestfinished', (request) => request.url().endsWith('/token'));
  answer();
  await renewed;
  await page.reload();
  await page.getByRole('button', { name: 'Sign in' }).waitFor();
  expect(await page.evaluate('Object.keys(sessionStorage)')).toEqual([]);
});

test.each([
  ['a code that this tab has not asked for', '?code=stolen&state=another'],
  ['a refusal that it has not asked for', '?error=access_denied&state=another'],
])('%s is not used', async (_what, query) => {
  const page = await (await desks.window()).newPage();
  await page.goto(`${desks.address}/${query}`);
  await page.getByRole('alert').getByText('That sign-in did not begin here.').waitFor();
  await page.getByRole('button', { name: 'Sign in' }).waitFor();
});

test.each([
  ['does not answer', undefined, 'The sign-in service does not answer.'],
  ['answers with a page', '<p>maintenance</p>', 'The sign-in service gave no answer that could be read.'],
])('an issuer that %s is told', async (_what, body, words) => {
  const context = await desks.window();
  await context.route('**/.well-known/**', (route) => (body === undefined ? route.abort() : route.fulfill({ body })));
  const page = await context.newPage();
  await page.goto(desks.address);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('alert').getByText(words).waitFor();
});
