import type { Socket } from 'node:net';

/**
 * Closes a connection at once, and tells its peer by a reset; what was still to be sent is lost. One that is just ending is closed
 * without a reset: libuv refuses to reset a socket that is being shut down, and Node then keeps it for ever, and does not even exit.
 *
 * @param secured what TLS made of it: ending that shuts down the socket below, which does not know
 */
export function resetSocket(socket: Socket, secured?: Socket): void {
  const isEnding = [socket, secured].some((each) => each?.writableEnded && !each.writableFinished);
  if (isEnding) socket.destroy();
  else socket.resetAndDestroy();
}
