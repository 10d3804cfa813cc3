import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as oauth from 'oauth4webapi';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type IssuerServer, startIssuer, WEB_CLIENT_ID } from '../../tools/issuer/issuerServer.ts';

/** The issuer as a certified client of OpenID Connect sees it, with a person who presses buttons in between. */
const ORIGIN = 'http://127.0.0.1:50052';
const REDIRECT = `${ORIGIN}/`;
const ALICE = { name: 'alice', customerId: 'a11ce000-0000-4000-8000-000000000001' };
const folder = mkdtempSync(join(tmpdir(), 'stockbroker-issuer-'));
const local = { [oauth.allowInsecureRequests]: true };
const client: oauth.Client = { client_id: WEB_CLIENT_ID };
let nowMs = Date.now();
let issuer: IssuerServer;
let server: oauth.AuthorizationServer;
beforeAll(async () => {
  issuer = await startIssuer({ dir: folder, port: 0, people: [ALICE, { name: 'bob', customerId: 'b' }], nowMs: () => nowMs });
  issuer.allow(ORIGIN);
  const url = new URL(issuer.url);
  server = await oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, local));
});
afterAll(async () => {
  await issuer.stop();
  rmSync(folder, { recursive: true });
});

interface Journey {
  verifier: string;
  state: string;
  nonce: string;
  query: Record<string, string>;
}

async function journey(change: Record<string, string> = {}): Promise<Journey> {
  const [verifier, state, nonce] = [oauth.generateRandomCodeVerifier(), oauth.generateRandomState(), oauth.generateRandomNonce()];
  const query = {
    client_id: WEB_CLIENT_ID,
    redirect_uri: REDIRECT,
    response_type: 'code',
    scope: 'openid profile trade read',
    state,
    nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    ...change,
  };
  return { verifier, state, nonce, query };
}

function ask(query: Record<string, string>): Promise<Response> {
  return fetch(`${server.authorization_endpoint}?${new URLSearchParams(query)}`, { redirect: 'manual' });
}

const form = (path: string, fields: Record<string, string>, headers: Record<string, string> = {}) =>
  fetch(issuer.url + path, { method: 'POST', body: new URLSearchParams(fields), redirect: 'manual', headers });

/** Presses a button of the page. @returns where that leads */
async function press(begun: Journey, button: Record<string, string>): Promise<URL> {
  const shown = await (await ask(begun.query)).text();
  const request = /name="request" value="([^"]+)"/.exec(shown)?.[1] ?? '';
  const answer = await form('/sign-in', { request, ...button });
  expect(answer.status).toBe(303);
  return new URL(answer.headers.get('location') ?? '');
}

/** The whole flow. @param change of what is sent for the tokens */
async function exchange(begun: Journey, answer: URL, change: { verifier?: string; redirect?: string } = {}): Promise<Response> {
  const parameters = oauth.validateAuthResponse(server, client, answer, begun.state);
  const { redirect = REDIRECT, verifier = begun.verifier } = change;
  return oauth.authorizationCodeGrantRequest(server, client, oauth.None(), parameters, redirect, verifier, local);
}

const tokensOf = (begun: Journey, response: Response) =>
  oauth.processAuthorizationCodeResponse(server, client, response, { expectedNonce: begun.nonce, requireIdToken: true });

const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
const refusedAs = async (response: Response, error: string) =>
  expect({ status: response.status, body: await response.json() }).toMatchObject({ status: 400, body: { error } });

test('issuer: signing in gives an identity and a token for the broker, by code and PKCE', async () => {
  const begun = await journey();
  const tokens = await tokensOf(begun, await exchange(begun, await press(begun, { customer: 'alice' })));
  expect(oauth.getValidatedIdTokenClaims(tokens)).toMatchObject({
    iss: issuer.url,
    sub: ALICE.customerId,
    aud: WEB_CLIENT_ID,
    name: 'Alice',
    preferred_username: 'alice',
  });
  expect(tokens).toMatchObject({ token_type: 'bearer', expires_in: 900, scope: 'openid profile trade read' });
  const { iat, exp, ...claims } = claimsOf(tokens.access_token);
  expect(exp - iat).toBe(900);
  expect(claims).toEqual({
    iss: issuer.url,
    sub: ALICE.customerId,
    aud: 'stockbroker',
    client_id: WEB_CLIENT_ID,
    scope: 'openid profile trade read',
    jti: expect.any(String),
  });
});

test('issuer: only the scopes asked for and known are granted', async () => {
  const begun = await journey({ scope: 'openid read admin' });
  const tokens = await tokensOf(begun, await exchange(begun, await press(begun, { customer: 'alice' })));
  expect(claimsOf(tokens.access_token).scope).toBe('openid read');
});

test('issuer: a code is good once; whoever uses it again ends what came of it', async () => {
  const begun = await journey();
  const answer = await press(begun, { customer: 'alice' });
  const tokens = await tokensOf(begun, await exchange(begun, answer));
  await refusedAs(await exchange(begun, answer), 'invalid_grant');
  await refusedAs(await refresh(tokens.refresh_token), 'invalid_grant');
});

test('issuer: a code is good for a minute', async () => {
  const begun = await journey();
  const answer = await press(begun, { customer: 'alice' });
  nowMs += 60_001;
  await refusedAs(await exchange(begun, answer), 'invalid_grant');
});

test.each([
  ['another verifier', { verifier: oauth.generateRandomCodeVerifier() }],
  ['another redirect_uri', { redirect: `${ORIGIN}/other` }],
])('issuer: a code with %s is refused, and is no good any more', async (_what, change) => {
  const begun = await journey();
  const answer = await press(begun, { customer: 'alice' });
  await refusedAs(await exchange(begun, answer, change), 'invalid_grant');
  await refusedAs(await exchange(begun, answer), 'invalid_grant');
});

test.each<[string, Record<string, string>]>([
  ['an unknown client', { client_id: 'other' }],
  ['a redirect_uri of another origin', { redirect_uri: 'https://evil.test/' }],
  ['a redirect_uri with more behind it', { redirect_uri: `${REDIRECT}more` }],
  ['a redirect_uri that differs in a port', { redirect_uri: 'http://127.0.0.1:50053/' }],
  ['no redirect_uri', { redirect_uri: '' }],
])('issuer: %s is not led anywhere', async (_what, change) => {
  const { query } = await journey(change);
  const answer = await ask(query);
  expect([answer.status, answer.headers.get('location')]).toEqual([400, null]);
  expect(await answer.text()).not.toContain('evil');
});

test.each<[string, Record<string, string>]>([
  ['unsupported_response_type', { response_type: 'token' }],
  ['invalid_scope', { scope: 'trade' }],
  ['invalid_request', { code_challenge: '' }],
  ['invalid_request', { code_challenge_method: 'plain' }],
  ['login_required', { prompt: 'none' }],
])('issuer: the page is told %s, with its state', async (error, change) => {
  const begun = await journey(change);
  const answer = new URL((await ask(begun.query)).headers.get('location') ?? '');
  expect(() => oauth.validateAuthResponse(server, client, answer, begun.state)).toThrow(
    expect.objectContaining({ error, cause: expect.anything() }),
  );
});

test('issuer: somebody who cancels is not signed in; a sign-in is done once', async () => {
  const begun = await journey();
  expect((await press(begun, { cancel: 'yes' })).searchParams.get('error')).toBe('access_denied');
  const shown = await (await ask(begun.query)).text();
  const request = /name="request" value="([^"]+)"/.exec(shown)?.[1] ?? '';
  expect((await form('/sign-in', { request, customer: 'bob' })).status).toBe(303);
  expect((await form('/sign-in', { request, customer: 'alice' })).status).toBe(400);
});

const refresh = (token = '') => form('/token', { grant_type: 'refresh_token', refresh_token: token, client_id: WEB_CLIENT_ID });

test('issuer: refresh tokens follow each other; one that was used before ends them all', async () => {
  const begun = await journey();
  const first = await tokensOf(begun, await exchange(begun, await press(begun, { customer: 'alice' })));
  const renewed = await oauth.refreshTokenGrantRequest(server, client, oauth.None(), first.refresh_token ?? '', local);
  const second = await oauth.processRefreshTokenResponse(server, client, renewed);
  expect(claimsOf(second.access_token)).toMatchObject({ sub: ALICE.customerId, scope: 'openid profile trade read' });
  expect(second.refresh_token).not.toBe(first.refresh_token);
  await refusedAs(await refresh(first.refresh_token), 'invalid_grant');
  await refusedAs(await refresh(second.refresh_token), 'invalid_grant');
});

test('issuer: a refresh token that is revoked is no good, and one ends after twelve hours', async () => {
  const sign = async () => {
    const begun = await journey();
    return tokensOf(begun, await exchange(begun, await press(begun, { customer: 'alice' })));
  };
  const [first, second] = [await sign(), await sign()];
  expect((await form('/revoke', { token: first.refresh_token ?? '', client_id: WEB_CLIENT_ID })).status).toBe(200);
  await refusedAs(await refresh(first.refresh_token), 'invalid_grant');
  nowMs += 12 * 3_600_000;
  await refusedAs(await refresh(second.refresh_token), 'invalid_grant');
});

test('issuer: the page has no scripts, names its buttons, and cannot be framed', async () => {
  const { query } = await journey();
  const answer = await ask(query);
  const html = await answer.text();
  expect([...html.matchAll(/<button[^>]*>([^<]+)</g)].map(([, text]) => text)).toEqual(['Alice', 'Bob', 'Cancel']);
  expect(html).toMatch(/<html lang="en">[\s\S]*<title>Sign in<\/title>[\s\S]*<main><h1>Sign in<\/h1>/);
  expect(html).not.toMatch(/<script|style="/);
  const headers = Object.fromEntries(answer.headers);
  expect(headers['content-security-policy']).toMatch(
    /^default-src 'none'; style-src 'sha256-\S+'; form-action 'self' http:\/\/127\.0\.0\.1:50052; base-uri 'none'; frame-ancestors 'none'$/,
  );
  expect(headers).toMatchObject({ 'x-frame-options': 'DENY', 'referrer-policy': 'no-referrer', 'cache-control': 'no-store' });
});

test('issuer: pages of its clients may ask for tokens, others may not; another name for this machine is none of its own', async () => {
  const asks = async (origin: string) => (await form('/token', {}, { origin })).headers.get('access-control-allow-origin');
  expect([await asks(ORIGIN), await asks('https://evil.test')]).toEqual([ORIGIN, null]);
  const preflight = (origin: string) => fetch(`${issuer.url}/token`, { method: 'OPTIONS', headers: { origin } });
  expect([(await preflight(ORIGIN)).status, (await preflight('https://evil.test')).status]).toEqual([204, 403]);
  const renamed = await fetch(issuer.url.replace('127.0.0.1', 'localhost')).catch(() => undefined);
  expect(renamed?.status ?? 421).toBe(421);
  expect((await fetch(`${issuer.url}/nothing`)).status).toBe(404);
  expect((await form('/token', { x: 'x'.repeat(20_000) })).status).toBe(400);
});

test('issuer: a rotated key and the one before are published, until that is withdrawn', async () => {
  const kids = async () =>
    ((await (await fetch(server.jwks_uri ?? '')).json()) as { keys: { kid: string }[] }).keys.map(({ kid }) => kid);
  const [old] = await kids();
  await issuer.keys.rotate();
  const [young, kept] = await kids();
  expect([young === old, kept]).toEqual([false, old]);
  expect(JSON.parse(Buffer.from((await issuer.keys.tokenFor('x')).split('.')[0] ?? '', 'base64url').toString())).toMatchObject({
    kid: young,
  });
  issuer.keys.withdraw();
  expect(await kids()).toEqual([young]);
});
