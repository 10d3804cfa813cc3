import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CryptoKey, exportJWK, generateKeyPair, importJWK, type JWK, SignJWT } from 'jose';

export const ISSUER = 'https://issuer.stockbroker.test';
export const AUDIENCE = 'stockbroker';

interface TokenOptions {
  lifetimeSeconds?: number;
  audience?: string;
  issuer?: string;
  /** Separated by spaces. */
  scope?: string;
}

/** A token issuer for development and tests: makes its keys once and signs tokens for anyone. */
export interface Issuer {
  /** File with the public keys, for the gateway's AUTH_JWKS. */
  jwksFile: string;
  /** The `iss` of its tokens. */
  name: string;
  /** A token in the name of a customer. */
  tokenFor(customerId: string, options?: TokenOptions): Promise<string>;
  /** Any claims, from now on for so long. @param typ of the header, e.g. "at+jwt" */
  sign(claims: Record<string, unknown>, options: { lifetimeSeconds: number; typ: string }): Promise<string>;
  /** The keys that may have signed, as the file has them. */
  jwks(): { keys: JWK[] };
  /** Signs with a new key from now on; the last one stays published. */
  rotate(): Promise<void>;
  /** Publishes nothing but the key that signs. */
  withdraw(): void;
}

interface SigningKey {
  key: CryptoKey | Uint8Array;
  kid: string;
}

/**
 * @param dir keeps the keys between starts; whoever opens it again has the same keys, also after another one has rotated them
 * @param name the `iss` of its tokens
 */
export async function openIssuer(dir: string, name: string = ISSUER): Promise<Issuer> {
  const jwksFile = join(dir, 'jwks.json');
  const privateFile = join(dir, 'private.jwk.json');
  const jwks = () => JSON.parse(readFileSync(jwksFile, 'utf8')) as { keys: JWK[] };

  const useNewKey = async (kid: string, kept: JWK[]) => {
    const { publicKey, privateKey } = await generateKeyPair('EdDSA', { extractable: true });
    const named = { kid, alg: 'EdDSA', use: 'sig' };
    // Published before anything is signed with it.
    replaceFile(jwksFile, { keys: [{ ...(await exportJWK(publicKey)), ...named }, ...kept] });
    replaceFile(privateFile, { ...(await exportJWK(privateKey)), ...named }, 0o600);
  };
  if (!existsSync(privateFile)) {
    mkdirSync(dir, { recursive: true });
    await useNewKey('development', []);
  }

  let read = { text: '', signing: Promise.resolve<SigningKey>({ key: new Uint8Array(), kid: '' }) };
  const signingKey = () => {
    const text = readFileSync(privateFile, 'utf8');
    if (text !== read.text) read = { text, signing: importKey(JSON.parse(text) as JWK) };
    return read.signing;
  };
  const sign: Issuer['sign'] = async (claims, { lifetimeSeconds, typ }) => {
    const { key, kid } = await signingKey();
    const iat = Math.floor(Date.now() / 1_000);
    return new SignJWT({ iss: name, iat, exp: iat + lifetimeSeconds, ...claims })
      .setProtectedHeader({ alg: 'EdDSA', kid, typ })
      .sign(key);
  };
  return {
    jwksFile,
    name,
    jwks,
    sign,
    tokenFor: (sub, { lifetimeSeconds = 3_600, audience = AUDIENCE, issuer = name, scope = 'trade read' } = {}) =>
      sign({ iss: issuer, sub, aud: audience, scope }, { lifetimeSeconds, typ: 'at+jwt' }),
    rotate: async () => {
      const { kid } = await signingKey();
      const last = jwks().keys.filter((key) => key.kid === kid);
      await useNewKey(`development-${Date.now()}`, last);
    },
    withdraw: () => replaceFile(jwksFile, { keys: jwks().keys.slice(0, 1) }),
  };
}

async function importKey(jwk: JWK): Promise<SigningKey> {
  return { key: await importJWK(jwk, 'EdDSA'), kid: jwk.kid ?? '' };
}

/** Readers see the old or the new. */
function replaceFile(file: string, content: object, mode = 0o644): void {
  writeFileSync(`${file}.new`, JSON.stringify(content), { mode });
  renameSync(`${file}.new`, file);
}
