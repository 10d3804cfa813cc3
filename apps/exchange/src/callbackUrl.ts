const MAX_LENGTH = 2_048;

/** True for http(s)://… and for grpc://host:port with nothing behind it. */
export function isCallbackUrl(text: string): boolean {
  if (text.length > MAX_LENGTH || !URL.canParse(text)) return false;
  const url = new URL(text);
  if (url.protocol === 'http:' || url.protocol === 'https:') return true;
  return (
    url.protocol === 'grpc:' && grpcAddress(text) === `${url.hostname}:${url.port}` && url.hostname !== '' && url.port !== ''
  );
}

/** "grpc://host:port" → "host:port"; undefined for other protocols. */
export function grpcAddress(url: string): string | undefined {
  return url.startsWith('grpc://') ? url.slice('grpc://'.length).replace(/\/$/, '') : undefined;
}
