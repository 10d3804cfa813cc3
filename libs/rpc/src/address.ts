import { isIP } from 'node:net';

/**
 * Whose call it is, as far as addresses tell.
 *
 * @param peer "address:port" of the connection
 * @param forwardedFor X-Forwarded-For: each proxy has added whom it was called by
 * @param trustedHops proxies of ours before this server; 0: the header is anybody's to write, and is not read
 */
export function addressOf(peer: string, forwardedFor: string | undefined, trustedHops: number): string {
  const connected = peer.slice(0, Math.max(0, peer.lastIndexOf(':')));
  if (trustedHops === 0 || forwardedFor === undefined) return connected;
  const seen = withoutPort(forwardedFor.split(',').at(-trustedHops)?.trim() ?? '');
  return isIP(seen) === 0 ? connected : seen;
}

/** Some proxies add it, to an IPv6 address in brackets. */
function withoutPort(text: string): string {
  return text.replace(/^\[([^\]]*)\](?::\d+)?$|^([\d.]+):\d+$/, '$1$2');
}
