import type { IncomingMessage } from 'node:http';
import { type HttpAnswer, StaticFiles } from '@stockbroker/rpc';

export interface PageOptions {
  /** Folder that apps/web was built into; empty: there is no page. */
  root: string;
  /** Where its customers sign in, if that is an address. */
  issuer: string;
  clientId: string;
}

/** The trading page for the web port: its files, where to sign in, and what browsers must not let it do. */
export function servePage({ root, issuer, clientId }: PageOptions): {
  page?: (request: IncomingMessage) => HttpAnswer | undefined;
} {
  if (root === '') return {};
  const signIn = /^https?:\/\//.test(issuer) ? { issuer, clientId } : null;
  const files = new StaticFiles(root, securityHeaders(signIn === null ? undefined : new URL(issuer).origin), {
    '/config.json': JSON.stringify({ signIn }),
  });
  return { page: (request) => files.answer(request) };
}

/** The page loads its own files, calls its own server and the issuer, and nothing else; nobody may show it inside another page. */
function securityHeaders(issuerOrigin: string | undefined): Record<string, string> {
  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "manifest-src 'self'",
    `connect-src 'self'${issuerOrigin === undefined ? '' : ` ${issuerOrigin}`}`,
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
