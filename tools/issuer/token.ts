import { createHash, randomUUID } from 'node:crypto';
import type { Issuer } from '@stockbroker/testkit/processes';
import { type Answer, json, oauthError } from './answer.ts';
import type { Authorization, AuthorizePorts } from './authorize.ts';
import { type Grants, randomName } from './grants.ts';

const AUDIENCE = 'stockbroker';

/** All refresh tokens of one sign-in, one after the other: only the last is good. */
export interface Family {
  secret: string;
  authorization: Authorization;
}

export interface TokenPorts extends Pick<AuthorizePorts, 'client' | 'codes'> {
  keys: Issuer;
  families: Grants<Family>;
  /** How long its tokens are good. */
  tokenSeconds: number;
}

/** POST /token: RFC 6749, sections 4.1.3 and 6. */
export async function token(ports: TokenPorts, form: URLSearchParams): Promise<Answer> {
  if (form.get('client_id') !== ports.client.clientId) return oauthError('invalid_client', 'this client is not known');
  switch (form.get('grant_type')) {
    case 'authorization_code':
      return exchange(ports, form);
    case 'refresh_token':
      return refresh(ports, form.get('refresh_token') ?? '');
    default:
      return oauthError('unsupported_grant_type', 'grant_type must be authorization_code or refresh_token');
  }
}

/** POST /revoke: RFC 7009. What is not known is as good as revoked. */
export function revoke({ families }: TokenPorts, form: URLSearchParams): Answer {
  families.remove(form.get('token')?.split('.', 1)[0] ?? '');
  return json(200, {});
}

async function exchange(ports: TokenPorts, form: URLSearchParams): Promise<Answer> {
  const { codes, families } = ports;
  const code = form.get('code') ?? '';
  const authorization = codes.find(code);
  if (authorization === undefined) return oauthError('invalid_grant', 'the code is not known, or has ended');
  if (authorization.family !== undefined) {
    // RFC 6749, section 4.1.2: two have the code, so neither is to have what came of it.
    families.remove(authorization.family);
    codes.remove(code);
    return oauthError('invalid_grant', 'the code was used before');
  }
  if (form.get('redirect_uri') !== authorization.redirectUri || !isProof(form.get('code_verifier') ?? '', authorization)) {
    codes.remove(code);
    return oauthError('invalid_grant', 'the redirect_uri or the code_verifier is not that of the sign-in');
  }
  const secret = randomName();
  const family = families.add({ secret, authorization });
  authorization.family = family;
  return tokens(ports, authorization, `${family}.${secret}`);
}

async function refresh(ports: TokenPorts, refreshToken: string): Promise<Answer> {
  const [name = '', secret = ''] = refreshToken.split('.');
  const family = ports.families.find(name);
  if (family === undefined) return oauthError('invalid_grant', 'the refresh token is not known, or has ended');
  if (family.secret !== secret) {
    // Used before: either this or the one that was given for it is in wrong hands.
    ports.families.remove(name);
    return oauthError('invalid_grant', 'the refresh token was used before');
  }
  family.secret = randomName();
  return tokens(ports, family.authorization, `${name}.${family.secret}`);
}

async function tokens(
  { keys, client, tokenSeconds }: TokenPorts,
  authorization: Authorization,
  refreshToken: string,
): Promise<Answer> {
  const { person, scope, nonce, signedInAt } = authorization;
  const { clientId } = client;
  const sub = person.customerId;
  const lifetimeSeconds = tokenSeconds;
  const access = { sub, aud: AUDIENCE, client_id: clientId, scope, jti: randomUUID() };
  const name = person.name.replace(/^./, (first) => first.toUpperCase());
  const identity = { sub, aud: clientId, nonce, auth_time: signedInAt, name, preferred_username: person.name };
  return json(200, {
    token_type: 'Bearer',
    access_token: await keys.sign(access, { lifetimeSeconds, typ: 'at+jwt' }),
    expires_in: lifetimeSeconds,
    scope,
    id_token: await keys.sign(identity, { lifetimeSeconds, typ: 'JWT' }),
    refresh_token: refreshToken,
  });
}

function isProof(verifier: string, { codeChallenge }: Authorization): boolean {
  return /^[\w.~-]{43,128}$/.test(verifier) && createHash('sha256').update(verifier).digest('base64url') === codeChallenge;
}
