/** Servers, and the credentials that their URLs carry. */
export interface NatsUrls {
  /** Without credentials: they may be logged. */
  servers: string[];
  login: { user: string; pass: string } | { token: string } | undefined;
  /** A URL says tls://. */
  demandsTls: boolean;
}

/** The client ignores what stands before the @ of a URL. @throws Error whose message continues "NATS_URL ..." */
export function parseNatsUrls(value: string): NatsUrls {
  const urls = value.split(',').map((part) => toUrl(part.trim()));
  const logins = urls.map(loginOf).filter((login) => login !== undefined);
  if (new Set(logins.map((login) => JSON.stringify(login))).size > 1) {
    throw new Error('must name the same credentials for all its servers');
  }
  return {
    servers: urls.map(({ protocol, host }) => `${protocol}//${host}`),
    login: logins[0],
    demandsTls: urls.some(({ protocol }) => protocol === 'tls:'),
  };
}

function toUrl(server: string): URL {
  const text = server.includes('://') ? server : `nats://${server}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.hostname === '' || !/^(?:nats|tls):$/.test(url.protocol)) {
    throw new Error('must be URLs that begin with nats:// or tls://, separated by commas');
  }
  return url;
}

function loginOf({ username, password }: URL): NatsUrls['login'] {
  const [user, pass] = [decoded(username), decoded(password)];
  if (pass !== '') return { user, pass };
  return user === '' ? undefined : { token: user };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch (cause) {
    throw new Error('must have its user and password percent-encoded', { cause });
  }
}
