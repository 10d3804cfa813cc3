import { type Answer, escaped, page, problemPage, redirect } from './answer.ts';
import type { Grants } from './grants.ts';

/** Somebody who can sign in by saying so: for development only. */
export interface Person {
  /** "alice" */
  name: string;
  customerId: string;
}

/** The one client: a page, which can keep no secret. */
interface WebClient {
  clientId: string;
  /** Where it may be led back to: exactly these. */
  redirectUris: () => string[];
}

/** A sign-in that has begun. */
export interface AuthorizationRequest {
  redirectUri: string;
  scope: string;
  state: string | undefined;
  nonce: string | undefined;
  codeChallenge: string;
}

/** A sign-in that is done, to be exchanged for tokens. */
export interface Authorization extends AuthorizationRequest {
  person: Person;
  signedInAt: number;
  /** The refresh tokens that came of it: when it is used once more, somebody else has it. */
  family?: string;
}

export interface AuthorizePorts {
  issuer: string;
  client: WebClient;
  people: readonly Person[];
  requests: Grants<AuthorizationRequest>;
  codes: Grants<Authorization>;
  nowMs: () => number;
}

export const SCOPES = ['openid', 'profile', 'offline_access', 'trade', 'read'];

/** GET /authorize: OpenID Connect Core 1.0, section 3.1.2.1, with PKCE (RFC 7636). */
export function authorize({ issuer, client, people, requests }: AuthorizePorts, query: URLSearchParams): Answer {
  const redirectUri = query.get('redirect_uri') ?? '';
  // Who is not known gets no redirect: it could lead anywhere.
  if (query.get('client_id') !== client.clientId) return problemPage('This application is not known here.');
  if (!client.redirectUris().includes(redirectUri))
    return problemPage('This application has not said that it is at that address.');
  const state = query.get('state') ?? undefined;
  const refuse = (error: string, description: string) =>
    redirect(redirectUri, { error, error_description: description, state, iss: issuer });
  if (new Set(query.keys()).size < [...query.keys()].length) return refuse('invalid_request', 'a parameter is given twice');
  if (query.get('response_type') !== 'code') return refuse('unsupported_response_type', 'response_type must be code');
  const scopes = (query.get('scope') ?? '').split(' ');
  if (!scopes.includes('openid')) return refuse('invalid_scope', 'scope must contain openid');
  const codeChallenge = query.get('code_challenge') ?? '';
  if (query.get('code_challenge_method') !== 'S256' || !/^[\w-]{43}$/.test(codeChallenge))
    return refuse('invalid_request', 'PKCE is needed: code_challenge, and code_challenge_method S256');
  // There are no sessions here: everybody signs in each time.
  if (query.get('prompt') === 'none') return refuse('login_required', 'nobody is signed in');
  const scope = SCOPES.filter((each) => scopes.includes(each)).join(' ');
  const request = requests.add({ redirectUri, scope, state, nonce: query.get('nonce') ?? undefined, codeChallenge });
  return signInPage(request, people, new URL(redirectUri).origin);
}

function signInPage(request: string, people: readonly Person[], origin: string): Answer {
  const buttons = people.map(
    ({ name }) => `<button name="customer" value="${escaped(name)}">${escaped(name[0]?.toUpperCase() + name.slice(1))}</button>`,
  );
  const content = `<p>To <strong>${escaped(origin)}</strong>, as a demo customer. This is a development server: nobody is asked for a password.</p>
<form method="post" action="/sign-in">
<input type="hidden" name="request" value="${request}">
${buttons.join('\n')}
<button name="cancel" value="yes">Cancel</button>
</form>`;
  return page(200, 'Sign in', content, origin);
}

/** POST /sign-in: the form of that page. */
export function signIn({ issuer, people, requests, codes, nowMs }: AuthorizePorts, form: URLSearchParams): Answer {
  const name = form.get('request') ?? '';
  const request = requests.find(name);
  if (request === undefined) return problemPage('This sign-in is over. Go back to where you began, and begin again.');
  requests.remove(name);
  const { redirectUri, state } = request;
  const person = people.find((each) => each.name === form.get('customer'));
  if (person === undefined)
    return redirect(redirectUri, { error: 'access_denied', error_description: 'nobody signed in', state, iss: issuer });
  const code = codes.add({ ...request, person, signedInAt: Math.floor(nowMs() / 1_000) });
  return redirect(redirectUri, { code, state, iss: issuer });
}

/** GET /end-session: leads back. There is no session to end; refresh tokens end by POST /revoke. */
export function endSession({ client }: AuthorizePorts, query: URLSearchParams): Answer {
  const back = query.get('post_logout_redirect_uri') ?? '';
  if (client.redirectUris().includes(back)) return redirect(back, { state: query.get('state') ?? undefined });
  return page(200, 'Signed out', '<p>You can close this page.</p>');
}
