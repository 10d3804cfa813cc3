import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, importJWK, SignJWT } from 'jose';

export const ISSUER = 'https://issuer.stockbroker.test';
export const AUDIENCE = 'stockbroker';

/** A token issuer for development and tests: makes its keys once and signs tokens for anyone. */
export interface Issuer {
  /** File with the public keys, for the gateway's AUTH_JWKS. */
  jwksFile: string;
  /** A token in the name of a customer. */
  tokenFor(customerId: string, options?: { lifetimeSeconds?: number; audience?: string; issuer?: string }): Promise<string>;
}

/** @param dir keeps the keys between starts */
export async function openIssuer(dir: string): Promise<Issuer> {
  const jwksFile = join(dir, 'jwks.json');
  const privateFile = join(dir, 'private.jwk.json');
  if (!existsSync(privateFile)) {
    mkdirSync(dir, { recursive: true });
    const { publicKey, privateKey } = await generateKeyPair('EdDSA', { extractable: true });
    const named = { kid: 'development', alg: 'EdDSA', use: 'sig' };
    writeFileSync(jwksFile, JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), ...named }] }));
    writeFileSync(privateFile, JSON.stringify({ ...(await exportJWK(privateKey)), ...named }), { mode: 0o600 });
  }
  const key = await importJWK(JSON.parse(readFileSync(privateFile, 'utf8')), 'EdDSA');
  return {
    jwksFile,
    tokenFor: (customerId, { lifetimeSeconds = 3_600, audience = AUDIENCE, issuer = ISSUER } = {}) =>
      new SignJWT()
        .setProtectedHeader({ alg: 'EdDSA', kid: 'development' })
        .setSubject(customerId)
        .setIssuer(issuer)
        .setAudience(audience)
        .setIssuedAt()
        .setExpirationTime(Math.floor(Date.now() / 1_000) + lifetimeSeconds)
        .sign(key),
  };
}
