import type { IncomingMessage } from 'node:http';
import { type HttpAnswer, StaticFiles } from '@stockbroker/rpc';

export interface PageOptions {
  /** Folder that apps/web was built into; empty: there is no page. */
  root: string;
  /** Where its customers sign in, if that is an address. */
  issuer: string;
  clientId: string;
  /** Where the issuer's tokens come from, when that is not its own origin. */
  signInOrigins: readonly string[];
  /** Whether the web port speaks TLS: browsers are then told never to come without. */
  isSecure: boolean;
}

/** The trading page for the web port: its files, where to sign in, and what browsers must not let it do. */
export function servePage({ root, issuer, clientId, signInOrigins, isSecure }: PageOptions): {
  page?: (request: IncomingMessage) => HttpAnswer | undefined;
} {
  if (root === '') return {};
  const signIn = /^https?:\/\//.test(issuer) ? { issuer, clientId } : null;
  const origins = signIn === null ? [] : [new URL(issuer).origin, ...signInOrigins];
  const headers = { ...securityHeaders(origins), ...(isSecure ? ALWAYS_TLS : {}) };
  const files = new StaticFiles(root, headers, { '/config.json': JSON.stringify({ signIn }) });
  return { page: (request) => files.answer(request) };
}

const ALWAYS_TLS = { 'strict-transport-security': 'max-age=31536000' };

/** The page loads its own files, calls its own server and the issuer, and nothing else; nobody may show it inside another page. */
function securityHeaders(issuerOrigins: string[]): Record<string, string> {
  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "manifest-src 'self'",
    `connect-src ${["'self'", ...issuerOrigins].join(' ')}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ];
  return {
    'content-security-policy': policy.join('; '),
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'permissions-policy':
      'accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), microphone=(), payment=(), usb=()',
  };
}
