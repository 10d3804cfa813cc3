import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { connectNats, natsAt } from '@stockbroker/bus';
import { eventually, startNats } from '@stockbroker/testkit';
import { afterAll, expect, test } from 'vitest';
import { PemFiles, TestAuthority } from '../support/certificates.ts';

/** It asks for a certificate of its clients. */
const authority = await TestAuthority.create();
const files = new PemFiles();
const [server, client] = await Promise.all([authority.issue('nats'), authority.issue('broker')]);
const NATS_CA_FILE = files.write('ca.pem', authority.ca);
const own = { NATS_CERT_FILE: files.write('client.pem', client.cert), NATS_KEY_FILE: files.write('client.key', client.key) };
const nats = await startNats({
  storeDir: join(files.folder, 'nats'),
  settings: `tls {
    cert_file: ${JSON.stringify(files.write('server.pem', server.cert))}
    key_file: ${JSON.stringify(files.write('server.key', server.key))}
    ca_file: ${JSON.stringify(NATS_CA_FILE)}
    verify: true
  }`,
});
afterAll(async () => {
  await nats.stop();
  rmSync(files.folder, { recursive: true, force: true });
});

test('NATS over TLS: a process with the authority’s file and a certificate of its own is let in', async () => {
  const connection = await connectNats(natsAt(nats.url, { NATS_CA_FILE, ...own }), 'test');
  await connection.flush();
  await connection.close();
});

test.each([
  ['without a certificate of its own', { NATS_CA_FILE }],
  ['that does not know the authority', own],
])('NATS over TLS: a process %s is not, and says so', async (_who, env) => {
  const problems: unknown[] = [];
  void connectNats(natsAt(nats.url, env), 'test', (error) => problems.push(error));
  await eventually(
    () => problems.length,
    (count) => count > 0,
  );
  expect(problems[0]).toBeInstanceOf(Error);
});
