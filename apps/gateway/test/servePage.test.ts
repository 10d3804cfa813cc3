import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { servePage } from '../src/servePage.ts';

const root = mkdtempSync(join(tmpdir(), 'stockbroker-page-'));
writeFileSync(join(root, 'index.html'), '<!doctype html>');
afterAll(() => rmSync(root, { recursive: true }));

const headersOf = (options: { issuer?: string; signInOrigins?: string[]; isSecure?: boolean }) => {
  const { page } = servePage({
    root,
    issuer: 'https://id.test/us',
    clientId: 'x',
    signInOrigins: [],
    isSecure: false,
    ...options,
  });
  return page?.({ url: '/', headers: {} } as IncomingMessage)?.headers ?? {};
};
const connects = (headers: Record<string, string>) => /connect-src ([^;]*)/.exec(headers['content-security-policy'] ?? '')?.[1];

test('page: it may call its own server, the issuer, and where the issuer has its endpoints', () => {
  expect(connects(headersOf({}))).toBe("'self' https://id.test");
  expect(connects(headersOf({ signInOrigins: ['https://token.test'] }))).toBe("'self' https://id.test https://token.test");
  expect(connects(headersOf({ issuer: 'a-file', signInOrigins: ['https://token.test'] }))).toBe("'self'");
});

test('page: over TLS browsers are told to come no other way', () => {
  expect(headersOf({ isSecure: true })['strict-transport-security']).toBe('max-age=31536000');
  expect(headersOf({})).not.toHaveProperty('strict-transport-security');
});
