import { readFile } from 'node:fs/promises';

/** Keys are some hundred bytes each. */
const MAX_BYTES = 256 * 1024;
const TIMEOUT_MS = 5_000;
const IS_URL = /^https?:\/\//;

/** Reads what the issuer publishes as its keys anew: any JSON. @throws Error when it cannot be had */
export type ReadKeys = () => Promise<unknown>;

/**
 * @param jwks URL or file of a JWKS; empty: the one that the issuer's discovery document names
 * @throws Error when an address is neither https nor on this machine: anyone who can change an answer could sign in as any customer
 */
export function keysReader(jwks: string, issuer: string): ReadKeys {
  if (IS_URL.test(jwks)) {
    const url = safeUrl(jwks, 'AUTH_JWKS');
    return () => fetchJson(url);
  }
  if (isFile(jwks)) return async () => parsed(await readFile(jwks), jwks);
  const discovery = safeUrl(
    `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`,
    'AUTH_ISSUER, as AUTH_JWKS is empty,',
  );
  return async () => {
    const found = (await fetchJson(discovery)) as { issuer?: unknown; jwks_uri?: unknown } | null;
    // OpenID Connect Discovery 1.0, section 4.3.
    if (found?.issuer !== issuer) throw new Error(`${discovery} is about another issuer`);
    return fetchJson(safeUrl(String(found.jwks_uri), `the jwks_uri of ${discovery}`));
  };
}

/** Else it is found over the network, and may be away for a while. */
export function isFile(jwks: string): boolean {
  return jwks !== '' && !IS_URL.test(jwks);
}

function safeUrl(text: string, what: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isLocal = url?.protocol === 'http:' && ['127.0.0.1', 'localhost', '[::1]'].includes(url.hostname);
  if (url === undefined || !(url.protocol === 'https:' || isLocal)) {
    throw new Error(`${what} must be an https:// URL (http:// only on this machine), but is ${JSON.stringify(text)}`);
  }
  return url;
}

async function fetchJson(url: URL): Promise<unknown> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const response = await fetch(url, { redirect: 'error', signal, headers: { accept: 'application/json' } });
  if (response.status !== 200 || response.body === null) {
    await response.body?.cancel();
    throw new Error(`${url} answered with status ${response.status}`);
  }
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body) {
    bytes += chunk.length;
    if (bytes > MAX_BYTES) throw new Error(`${url} answered with more than ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  return parsed(Buffer.concat(chunks), String(url));
}

/** The parser's own words would repeat a piece of whatever came instead, e.g. of a page. */
function parsed(bytes: Buffer, source: string): unknown {
  if (bytes.length > MAX_BYTES) throw new Error(`${source} has more than ${MAX_BYTES} bytes`);
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw new Error(`${source} is not JSON`, { cause: error });
  }
}
