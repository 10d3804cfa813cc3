import { integer, list, text, type Variable } from '@stockbroker/runtime';

/** Algorithms with which only the issuer can sign: none of the symmetric ones, and never `none`. */
const ASYMMETRIC = /^(?:EdDSA|Ed25519|(?:ES|RS|PS)(?:256|384|512))$/;

/** How tokens are checked. */
export const authVariables = {
  AUTH_ISSUER: text('The `iss` that tokens must have.'),
  AUTH_JWKS: text(
    'Public keys of the token issuer: an https:// URL, or the path of a JWKS file. Empty: the `jwks_uri` of the issuer’s `/.well-known/openid-configuration`.',
    { default: '' },
  ),
  AUTH_AUDIENCE: text('The `aud` that tokens must have.', { default: 'stockbroker' }),
  AUTH_ALGORITHMS: algorithms('Signature algorithms that are accepted.', 'EdDSA,ES256,RS256'),
  AUTH_MAX_LIFETIME_S: integer(
    'A token with a longer lifetime, from its `iat` to its `exp`, is refused.',
    { min: 60, max: 604_800 },
    { default: '7200' },
  ),
  AUTH_KEYS_REFRESH_MS: integer(
    'How often the issuer’s keys are read: a withdrawn key is accepted for at most this long. They are read at least twice within AUTH_KEYS_STALE_MS.',
    { min: 100, max: 86_400_000 },
    { default: '300000' },
  ),
  AUTH_KEYS_COOLDOWN_MS: integer(
    'Shortest time between two readings of the issuer’s keys that are caused by tokens with an unknown key: anyone can make such tokens.',
    { min: 10, max: 3_600_000 },
    { default: '10000' },
  ),
  AUTH_KEYS_STALE_MS: integer(
    'While the issuer is unreachable, the keys last read stay valid for this long; then calls are answered UNAVAILABLE.',
    { min: 100, max: 604_800_000 },
    { default: '3600000' },
  ),
};

function algorithms(doc: string, standard: string): Variable<string[]> {
  const names = list(doc, { default: standard });
  return {
    ...names,
    values: 'names of asymmetric algorithms, separated by commas',
    parse: (value) => {
      const parsed = names.parse(value);
      if (parsed.length === 0 || !parsed.every((name) => ASYMMETRIC.test(name)))
        throw new Error('must be names of asymmetric algorithms like EdDSA, ES256 or RS256, separated by commas');
      return parsed;
    },
  };
}
