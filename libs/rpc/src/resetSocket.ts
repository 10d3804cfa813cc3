import type { Socket } from 'node:net';

/**
 * Closes a connection at once, and tells its peer by a reset; what was still to be sent is lost. One that is just ending is closed
 * without a reset: libuv refuses to reset a socket that is being shut down, and Node then keeps it for ever, and does not even exit.
 */
export function resetSocket(socket: Socket): void {
  if (socket.writableEnded && !socket.writableFinished) socket.destroy();
  else socket.resetAndDestroy();
}
