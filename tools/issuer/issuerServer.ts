import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Issuer, openIssuer } from '@stockbroker/testkit/processes';
import { type Answer, json, oauthError, problemPage } from './answer.ts';
import {
  type Authorization,
  type AuthorizationRequest,
  authorize,
  endSession,
  type Person,
  SCOPES,
  signIn,
} from './authorize.ts';
import { Grants } from './grants.ts';
import { type Family, revoke, token } from './token.ts';

export const WEB_CLIENT_ID = 'stockbroker-web';

export interface IssuerServerOptions {
  /** Keeps the keys. */
  dir: string;
  /** 0 takes a free one. */
  port: number;
  people: readonly Person[];
  /** How long its tokens are good; they cannot be taken back, so by default a quarter of an hour. */
  tokenSeconds?: number;
  /** Milliseconds since 1970. */
  nowMs?: () => number;
}

/** An OpenID Connect provider for development, at which everybody is who he says. On this machine alone. */
export interface IssuerServer {
  /** The issuer's name, which is its address. */
  url: string;
  /** Its keys; also for tokens without signing in. */
  keys: Issuer;
  /** Pages of this origin may sign people in from now on; they are led back to its "/". */
  allow(origin: string): void;
  stop(): Promise<void>;
}

const TOKEN_SECONDS = 15 * 60;
const CODE_MS = 60_000;
const REQUEST_MS = 10 * 60_000;
const FAMILY_MS = 12 * 3_600_000;
const MOST = 10_000;
const MAX_FORM_BYTES = 16_384;
const FORM = 'application/x-www-form-urlencoded';

type Route = (given: URLSearchParams) => Answer | Promise<Answer>;

export async function startIssuer(options: IssuerServerOptions): Promise<IssuerServer> {
  const { dir, port, people, tokenSeconds = TOKEN_SECONDS, nowMs = Date.now } = options;
  const server = createServer({ requestTimeout: 10_000, headersTimeout: 5_000, connectionsCheckingInterval: 1_000 });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  server.maxConnections = 1_000;
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const keys = await openIssuer(dir, url);
  const origins = new Set<string>();
  const client = { clientId: WEB_CLIENT_ID, redirectUris: () => [...origins].map((origin) => `${origin}/`) };
  const codes = new Grants<Authorization>(CODE_MS, MOST, nowMs);
  const requests = new Grants<AuthorizationRequest>(REQUEST_MS, MOST, nowMs);
  const signingIn = { issuer: url, client, people, requests, codes, nowMs };
  const tokens = { client, codes, keys, tokenSeconds, families: new Grants<Family>(FAMILY_MS, MOST, nowMs) };
  const routes: Record<string, Route> = {
    'GET /.well-known/openid-configuration': () => json(200, discovery(url)),
    'GET /jwks.json': () => json(200, keys.jwks()),
    'GET /authorize': (query) => authorize(signingIn, query),
    'POST /sign-in': (form) => signIn(signingIn, form),
    'POST /token': (form) => token(tokens, form),
    'POST /revoke': (form) => revoke(tokens, form),
    'GET /end-session': (query) => endSession(signingIn, query),
  };

  const answer = async (request: IncomingMessage): Promise<Answer> => {
    // Else a page somewhere could have a name of its own lead to this machine.
    if (request.headers.host !== new URL(url).host) return { status: 421, headers: {}, body: '' };
    if (request.method === 'OPTIONS')
      return preflight(request.headers.origin !== undefined && origins.has(request.headers.origin));
    const { pathname, searchParams } = new URL(request.url ?? '/', url);
    const route = routes[`${request.method} ${pathname}`];
    if (route === undefined) return { ...problemPage('There is nothing here.'), status: 404 };
    if (request.method === 'GET') return route(searchParams);
    if (request.headers['content-type']?.split(';', 1)[0] !== FORM) return oauthError('invalid_request', `send ${FORM}`);
    const form = await readForm(request);
    return form === undefined ? oauthError('invalid_request', 'too long') : route(form);
  };
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const { status, headers, body } = await answer(request);
    const { origin } = request.headers;
    const cors = origin !== undefined && origins.has(origin) ? { 'access-control-allow-origin': origin } : {};
    response.writeHead(status, { ...headers, ...cors, vary: 'origin' }).end(body);
  };
  server.on('request', (request, response) => void serve(request, response).catch(() => response.destroy()));

  return {
    url,
    keys,
    allow: (origin) => void origins.add(origin),
    stop: () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      return closed;
    },
  };
}

/** OpenID Connect Discovery 1.0, RFC 8414, RFC 9207. */
function discovery(url: string): object {
  return {
    issuer: url,
    authorization_endpoint: `${url}/authorize`,
    token_endpoint: `${url}/token`,
    jwks_uri: `${url}/jwks.json`,
    revocation_endpoint: `${url}/revoke`,
    end_session_endpoint: `${url}/end-session`,
    response_types_supported: ['code'],
    response_modes_supported: ['query'],
    grant_types_supported: ['authorization_code', 'refresh_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['EdDSA'],
    scopes_supported: SCOPES,
    claims_supported: ['sub', 'iss', 'aud', 'exp', 'iat', 'auth_time', 'nonce', 'name', 'preferred_username'],
    code_challenge_methods_supported: ['S256'],
    token_endpoint_auth_methods_supported: ['none'],
    revocation_endpoint_auth_methods_supported: ['none'],
    authorization_response_iss_parameter_supported: true,
  };
}

function preflight(isAllowed: boolean): Answer {
  if (!isAllowed) return { status: 403, headers: {}, body: '' };
  const headers = { 'access-control-allow-methods': 'GET, POST', 'access-control-allow-headers': 'content-type' };
  return { status: 204, headers, body: '' };
}

/** Undefined when it is too long. */
async function readForm(request: IncomingMessage): Promise<URLSearchParams | undefined> {
  let text = '';
  for await (const chunk of request as AsyncIterable<Buffer>) {
    text += chunk.toString('latin1');
    if (text.length > MAX_FORM_BYTES) return undefined;
  }
  return new URLSearchParams(text);
}
