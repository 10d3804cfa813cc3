/** `fetch` with its body compressed: of the Connect protocol the whole body, of gRPC-Web the message in its one frame. */
export async function zippingFetch(input: Parameters<typeof fetch>[0], init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  const plain = new Uint8Array(await new Response(init.body ?? null).arrayBuffer());
  if (headers.get('content-type')?.startsWith('application/grpc-web') !== true) {
    headers.set('content-encoding', 'gzip');
    return fetch(input, { ...init, headers, body: await zipped(plain) });
  }
  headers.set('grpc-encoding', 'gzip');
  const message = await zipped(plain.subarray(5));
  const framed = new Uint8Array(5 + message.length);
  framed[0] = 1;
  new DataView(framed.buffer).setUint32(1, message.length);
  framed.set(message, 5);
  return fetch(input, { ...init, headers, body: framed });
}

async function zipped(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream('gzip'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
