/**
 * Who uses the page, and the token that says so to the broker. Kept in sessionStorage: it ends with the tab. A tab that is duplicated
 * has a copy: where the issuer takes a refresh token only once, the one that renews second must sign in again.
 */
export interface Session {
  token: string;
  /** Milliseconds since 1970. */
  expiresAtMs: number;
  name: string;
  refreshToken?: string;
}

/** Where customers sign in, as /config.json says. */
export interface SignInConfig {
  issuer: string;
  clientId: string;
}

interface Endpoints {
  issuer: string;
  authorization_endpoint: string;
  token_endpoint: string;
  /** RFC 7009. */
  revocation_endpoint?: string;
}

/** Between leaving for the issuer and coming back. */
interface Journey {
  state: string;
  nonce: string;
  verifier: string;
}

const SESSION = 'stockbroker.session';
const JOURNEY = 'stockbroker.journey';
/** A token is renewed so long before its end. */
const EARLY_MS = 30_000;
/** How long the issuer may take to answer. */
const ANSWER_MS = 5_000;
const SCOPE = 'openid profile trade read';

export class SignInError extends Error {
  override name = 'SignInError';
}

/** OpenID Connect: authorization code with PKCE, RFC 7636 and RFC 9700. */
export class SignIn {
  readonly #config: SignInConfig | null;
  #renewing: Promise<Session> | undefined;

  constructor(config: SignInConfig | null) {
    this.#config = config;
  }

  get isPossible(): boolean {
    return this.#config !== null;
  }

  /** The session of this tab; comes back from the issuer if that is where the page was. @throws SignInError */
  async current(): Promise<Session | undefined> {
    const answer = new URLSearchParams(location.search);
    if (answer.has('state') && (answer.has('code') || answer.has('error'))) {
      history.replaceState(null, '', location.pathname);
      return this.#comeBack(answer);
    }
    return kept<Session>(SESSION);
  }

  /** Leaves for the issuer's page. @throws SignInError */
  async begin(): Promise<void> {
    if (!isSecureContext) throw new SignInError('Signing in needs https.');
    const { authorization_endpoint } = await this.#discover();
    const journey: Journey = { state: random(), nonce: random(), verifier: random() };
    keep(JOURNEY, journey);
    const url = new URL(authorization_endpoint);
    const challenge = base64url(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(journey.verifier)));
    const query = {
      response_type: 'code',
      client_id: this.#config?.clientId ?? '',
      redirect_uri: redirectUri(),
      scope: SCOPE,
      state: journey.state,
      nonce: journey.nonce,
      code_challenge: challenge,
      code_challenge_method: 'S256',
    };
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    location.assign(url);
  }

  /** A token that is good for a while yet, where the issuer renews; else the one that there is. */
  async token(): Promise<string> {
    const session = await this.current();
    if (session === undefined) return '';
    if (session.refreshToken === undefined || session.expiresAtMs - Date.now() > EARLY_MS) return session.token;
    this.#renewing ??= this.#renew(session).finally(() => {
      this.#renewing = undefined;
    });
    return (await this.#renewing).token;
  }

  /** Signs out: this tab forgets the session at once, and the issuer is told that nobody may go on with it. */
  async end(): Promise<void> {
    const refreshToken = kept<Session>(SESSION)?.refreshToken;
    sessionStorage.removeItem(SESSION);
    if (refreshToken !== undefined) await this.#revoke(refreshToken);
  }

  async #revoke(refreshToken: string): Promise<void> {
    try {
      const { revocation_endpoint } = await this.#discover();
      if (revocation_endpoint === undefined) return;
      const body = new URLSearchParams({ token: refreshToken, client_id: this.#config?.clientId ?? '' });
      await fetch(revocation_endpoint, { method: 'POST', body, credentials: 'omit', keepalive: true });
    } catch {
      // The issuer cannot be told: here the session is gone all the same.
    }
  }

  async #comeBack(answer: URLSearchParams): Promise<Session> {
    const journey = kept<Journey>(JOURNEY);
    sessionStorage.removeItem(JOURNEY);
    // Another site could send a browser here with a code of its own account.
    if (journey === undefined || answer.get('state') !== journey.state) throw new SignInError('That sign-in did not begin here.');
    const error = answer.get('error');
    if (error !== null) throw new SignInError(`Not signed in: ${answer.get('error_description') ?? error}.`);
    const { issuer, token_endpoint } = await this.#discover();
    if ((answer.get('iss') ?? issuer) !== issuer) throw new SignInError('Another issuer has answered.');
    const session = await this.#exchange(
      token_endpoint,
      {
        grant_type: 'authorization_code',
        code: answer.get('code') ?? '',
        redirect_uri: redirectUri(),
        code_verifier: journey.verifier,
      },
      journey.nonce,
    );
    keep(SESSION, session);
    return session;
  }

  async #renew({ refreshToken = '', ...session }: Session): Promise<Session> {
    const stored = sessionStorage.getItem(SESSION);
    try {
      const { token_endpoint } = await this.#discover();
      const grant = { grant_type: 'refresh_token', refresh_token: refreshToken };
      // An issuer that sends no other means the same one: RFC 6749, section 6.
      const next = { refreshToken, ...(await this.#exchange(token_endpoint, grant)) };
      if (sessionStorage.getItem(SESSION) === stored) {
        keep(SESSION, next);
      } else {
        await this.#revoke(next.refreshToken); // Signed out meanwhile.
      }
      return next;
    } catch (error) {
      if (!(error instanceof SignInError)) throw error;
      return session; // The broker decides how long it is good.
    }
  }

  async #exchange(endpoint: string, grant: Record<string, string>, nonce?: string): Promise<Session> {
    const body = new URLSearchParams({ ...grant, client_id: this.#config?.clientId ?? '' });
    const answer = await fetchJson<{ access_token?: string; id_token?: string; expires_in?: number; refresh_token?: string }>(
      endpoint,
      { method: 'POST', body },
    );
    const { access_token: token, id_token, expires_in = 300, refresh_token } = answer;
    if (token === undefined) throw new SignInError('The issuer has given no token.');
    const claims = id_token === undefined ? {} : claimsOf(id_token);
    if (nonce !== undefined && id_token !== undefined && claims.nonce !== nonce)
      throw new SignInError('The issuer’s answer is for another sign-in.');
    const name = String(claims.name ?? claims.preferred_username ?? nameOf(token));
    const expiresAtMs = Date.now() + expires_in * 1_000;
    return { token, name, expiresAtMs, ...(refresh_token === undefined ? {} : { refreshToken: refresh_token }) };
  }

  async #discover(): Promise<Endpoints> {
    if (this.#config === null) throw new SignInError('This server does not say where to sign in.');
    const { issuer } = this.#config;
    const found = await fetchJson<Endpoints>(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`);
    if (found.issuer !== issuer) throw new SignInError('Another issuer has answered.');
    return found;
  }
}

/** What was kept; nothing where it cannot be read: then one signs in again. */
function kept<T extends object>(key: string): T | undefined {
  try {
    return (JSON.parse(sessionStorage.getItem(key) ?? 'null') as T | null) ?? undefined;
  } catch {
    return undefined;
  }
}

/** Until the tab is closed. @throws SignInError */
function keep(key: string, value: Journey | Session): void {
  try {
    sessionStorage.setItem(key, JSON.stringify(value));
  } catch (error) {
    throw new SignInError('This browser has no room to keep who signs in. Clear the data of this site, then try again.', {
      cause: error,
    });
  }
}

/** Whose token it is; the broker checks it, the page only keeps customers’ things apart. */
export function customerIdOf(token: string): string {
  return String(claimsOf(token).sub ?? '').toLowerCase();
}

function nameOf(token: string): string {
  const { name, sub } = claimsOf(token);
  return String(name ?? sub ?? 'Customer');
}

/** What a JWT says, unchecked. Nothing of what is none. */
function claimsOf(jwt: string): Record<string, unknown> {
  try {
    const base64 = (jwt.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/');
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
  } catch {
    return {}; // A token may be anything that issuer and broker agree on.
  }
}

/** @throws SignInError */
async function fetchJson<T extends object>(url: string, init: RequestInit = {}): Promise<T> {
  const signal = AbortSignal.timeout(ANSWER_MS);
  const response = await fetch(url, { ...init, credentials: 'omit', signal }).catch((error: unknown) => {
    throw new SignInError('The sign-in service does not answer.', { cause: error });
  });
  if (!response.ok) throw new SignInError(`The sign-in service answered with status ${response.status}.`);
  const answer: unknown = await response.json().catch((error: unknown) => {
    if (signal.aborted) throw new SignInError('The sign-in service does not answer.', { cause: error });
  });
  if (typeof answer !== 'object' || answer === null)
    throw new SignInError('The sign-in service gave no answer that could be read.');
  return answer as T;
}

function redirectUri(): string {
  return `${location.origin}/`;
}

function random(): string {
  return base64url(crypto.getRandomValues(new Uint8Array(32)).buffer);
}

function base64url(bytes: ArrayBuffer): string {
  const base64 = btoa(String.fromCharCode(...new Uint8Array(bytes)));
  return base64.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}
