import { createHash, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';

/** What a page has asked for when it sent its customer here. */
interface Visit {
  challenge: string;
  nonce: string;
  redirectUri: string;
}

export interface SmallIssuer {
  address: string;
  /** Whose token is given next, and for how long it is said to be good. */
  gives: { token: string; expiresInSeconds: number };
  /** By kind of grant. */
  grants: string[];
  revoked: string[];
  close(): void;
}

const ended = (response: ServerResponse, status: number, body = '', headers: Record<string, string> = {}) =>
  void response
    .writeHead(status, { 'access-control-allow-origin': '*', 'content-type': 'application/json', ...headers })
    .end(body);

/** An OpenID Connect issuer that lets everybody in at once: authorization code with PKCE, as RFC 7636 has it, and refresh tokens. */
export async function openSmallIssuer(): Promise<SmallIssuer> {
  const visits = new Map<string, Visit>();
  const server = createServer((request, response) => void handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
  const issuer: SmallIssuer = {
    address,
    gives: { token: '', expiresInSeconds: 3_600 },
    grants: [],
    revoked: [],
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams: query } = new URL(request.url ?? '/', address);
    if (pathname === '/.well-known/openid-configuration') {
      const endpoints = { authorization_endpoint: `${address}/authorize`, token_endpoint: `${address}/token` };
      ended(response, 200, JSON.stringify({ issuer: address, ...endpoints, revocation_endpoint: `${address}/revoke` }));
    } else if (pathname === '/authorize') authorize(query, response);
    else if (pathname === '/token') token(new URLSearchParams(await text(request)), response);
    else if (pathname === '/revoke') {
      issuer.revoked.push(new URLSearchParams(await text(request)).get('token') ?? '');
      ended(response, 200);
    } else ended(response, 404);
  }

  function authorize(query: URLSearchParams, response: ServerResponse) {
    const wanted = { response_type: 'code', client_id: 'stockbroker-web', code_challenge_method: 'S256' };
    const isWrong = Object.entries(wanted).some(([name, value]) => query.get(name) !== value);
    const redirectUri = query.get('redirect_uri') ?? '';
    if (isWrong || redirectUri === '' || !query.get('scope')?.split(' ').includes('openid')) return ended(response, 400);
    const code = randomUUID();
    visits.set(code, { challenge: query.get('code_challenge') ?? '', nonce: query.get('nonce') ?? '', redirectUri });
    const location = `${redirectUri}?${new URLSearchParams({ code, state: query.get('state') ?? '', iss: address })}`;
    ended(response, 302, '', { location });
  }

  function token(form: URLSearchParams, response: ServerResponse) {
    const grant = form.get('grant_type') ?? '';
    const visit = visits.get(form.get('code') ?? '');
    visits.delete(form.get('code') ?? '');
    const challenge = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url');
    const isGood = visit !== undefined && visit.challenge === challenge && visit.redirectUri === form.get('redirect_uri');
    if (!isGood && (grant !== 'refresh_token' || form.get('refresh_token') !== 'good')) return ended(response, 400);
    issuer.grants.push(grant);
    const claims = Buffer.from(JSON.stringify({ nonce: visit?.nonce, name: 'Alice Example' })).toString('base64url');
    const { token: access_token, expiresInSeconds: expires_in } = issuer.gives;
    ended(response, 200, JSON.stringify({ access_token, expires_in, refresh_token: 'good', id_token: `e30.${claims}.` }));
  }

  return issuer;
}
