import { randomBytes } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { expect, test } from 'vitest';
import { parseWebhookSecret, signWebhook, verifyWebhook, WebhookError, type WebhookHeaders } from '../src/index.ts';

const secret = `whsec_${randomBytes(32).toString('base64')}`;
const key = parseWebhookSecret(secret);
const body = Buffer.from('{"reports":[{"ticker":"BRK.B"}]}');
const now = Date.now();
const get = (headers: Partial<WebhookHeaders>) => (name: keyof WebhookHeaders) => headers[name];

test('webhook: the specification’s own library accepts our signature', () => {
  const headers = signWebhook(key, body, now);
  expect(new Webhook(secret).verify(body.toString(), { ...headers })).toEqual(JSON.parse(body.toString()));
});

test('webhook: we accept the signature of the specification’s own library', () => {
  const signature = new Webhook(secret).sign('msg_1', new Date(now), body.toString());
  const headers = { 'webhook-id': 'msg_1', 'webhook-timestamp': String(Math.floor(now / 1000)), 'webhook-signature': signature };
  expect(() => verifyWebhook([key], get(headers), body, now)).not.toThrow();
});

test('webhook: while a secret is being replaced, both are accepted', () => {
  const other = parseWebhookSecret(`whsec_${randomBytes(32).toString('base64')}`);
  expect(() => verifyWebhook([other, key], get(signWebhook(key, body, now)), body, now)).not.toThrow();
});

const signed = signWebhook(key, body, now);
test.each<[string, Partial<WebhookHeaders>, Buffer, number]>([
  ['no headers', {}, body, now],
  ['no signature', { ...signed, 'webhook-signature': '' }, body, now],
  ['another body', signed, Buffer.from('{}'), now],
  ['another id', { ...signed, 'webhook-id': 'msg_other' }, body, now],
  ['another secret', signWebhook(randomBytes(32), body, now), body, now],
  ['another version', { ...signed, 'webhook-signature': signed['webhook-signature'].replace('v1,', 'v2,') }, body, now],
  ['six minutes old', signed, body, now + 6 * 60_000],
  ['six minutes ahead', signed, body, now - 6 * 60_000],
  ['a re-dated timestamp', { ...signed, 'webhook-timestamp': String(Math.floor(now / 1000) + 1) }, body, now],
  ['a timestamp that is no number', { ...signed, 'webhook-timestamp': '1e9' }, body, now],
])('webhook: refused with %s', (_what, headers, sent, at) => {
  expect(() => verifyWebhook([key], get(headers), sent, at)).toThrow(WebhookError);
});

test.each(['', 'whsec_', 'whsec_c2hvcnQ=', randomBytes(32).toString('base64')])('webhook: %j is no secret', (text) => {
  expect(() => parseWebhookSecret(text)).toThrow(/whsec_/);
});
