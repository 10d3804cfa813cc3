import { createHmac, randomUUID, timingSafeEqual } from 'node:crypto';

/**
 * Signatures of callbacks as the Standard Webhooks specification 1.0.0 has them (standardwebhooks.com): HMAC-SHA256 over
 * "id.timestamp.body", with a secret "whsec_<base64>". Node's own hash does in microseconds what the specification's
 * reference library does in JavaScript; the tests hold this file against that library.
 */
export interface WebhookHeaders {
  'webhook-id': string;
  'webhook-timestamp': string;
  'webhook-signature': string;
}

/** A callback that is not signed, not signed right, or not fresh. */
export class WebhookError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'WebhookError';
  }
}

const SECRET_PREFIX = 'whsec_';
/** The specification's tolerance for old and future timestamps. */
const TOLERANCE_SECONDS = 5 * 60;

/** @throws Error when the text is not "whsec_" and 24 to 64 bytes of base64, as the specification wants it */
export function parseWebhookSecret(secret: string): Buffer {
  const key = Buffer.from(secret.slice(SECRET_PREFIX.length), 'base64');
  if (!secret.startsWith(SECRET_PREFIX) || key.length < 24 || key.length > 64) {
    throw new Error('must be whsec_ followed by 24 to 64 bytes of base64');
  }
  return key;
}

/** Signs a body that is about to be sent. One `id` names one message in all its retries; the timestamp is the attempt's. */
export function signWebhook(key: Buffer, body: Uint8Array, nowMs: number, id: string = `msg_${randomUUID()}`): WebhookHeaders {
  const timestamp = Math.floor(nowMs / 1000).toString();
  return {
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': `v1,${signature(key, id, timestamp, body)}`,
  };
}

/**
 * Checks a body that was received. Several keys may be valid while a secret is being changed.
 *
 * @throws WebhookError saying what is wrong
 */
export function verifyWebhook(
  keys: readonly Buffer[],
  header: (name: keyof WebhookHeaders) => string | undefined,
  body: Uint8Array,
  nowMs: number,
): void {
  const id = header('webhook-id');
  const timestamp = header('webhook-timestamp');
  const signatures = header('webhook-signature');
  if (!id || !timestamp || !signatures) throw new WebhookError('webhook-id, webhook-timestamp or webhook-signature is missing');
  if (!/^\d{1,12}$/.test(timestamp)) throw new WebhookError('webhook-timestamp is not a number of seconds');
  const ageSeconds = Math.floor(nowMs / 1000) - Number(timestamp);
  if (ageSeconds > TOLERANCE_SECONDS) throw new WebhookError(`webhook-timestamp is ${ageSeconds} s old`);
  if (ageSeconds < -TOLERANCE_SECONDS) throw new WebhookError(`webhook-timestamp is ${-ageSeconds} s in the future`);
  const expected = keys.map((key) => Buffer.from(`v1,${signature(key, id, timestamp, body)}`));
  const given = signatures.split(' ').map((text) => Buffer.from(text));
  const matches = given.some((g) => expected.some((e) => g.length === e.length && timingSafeEqual(g, e)));
  if (!matches) throw new WebhookError('webhook-signature does not match');
}

function signature(key: Buffer, id: string, timestamp: string, body: Uint8Array): string {
  return createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64');
}
