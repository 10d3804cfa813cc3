import { createServer, type SecureContextOptions, type Server, type TlsOptions } from 'node:tls';
import type { TlsIdentity } from './tlsFiles.ts';
import type { TlsSource } from './tlsSource.ts';

/** For clients that agree to one of the protocols; others are cut off. */
export function createTlsServer(source: TlsSource, protocols: string[]): Server {
  const server = createServer({ noDelay: true, ...serverOptions(source, protocols) });
  server.on('secureConnection', (socket) => {
    if (socket.alpnProtocol === false) socket.destroy();
  });
  keepCurrent(server, source);
  return server;
}

/** With authorities, only clients with a certificate of theirs come in. */
export function serverOptions({ identity }: TlsSource, protocols: string[]): TlsOptions {
  const isMutual = identity.ca !== undefined;
  return { ...contextOptions(identity), ALPNProtocols: protocols, requestCert: isMutual, rejectUnauthorized: isMutual };
}

/** New connections get what the source has by then; those that are open go on. */
export function keepCurrent(server: Server, source: TlsSource): void {
  const stop = source.follow((identity) => server.setSecureContext(contextOptions(identity)));
  server.once('close', stop);
  // Who breaks off between the handshake and the protocol is nobody's failure.
  server.on('secureConnection', (socket) => socket.on('error', () => {}));
}

function contextOptions({ cert, key, ca }: TlsIdentity): SecureContextOptions {
  return { cert, key, ...(ca === undefined ? {} : { ca }) };
}
