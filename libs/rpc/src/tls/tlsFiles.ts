import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';

/** Paths of PEM files; empty: there is none. */
export interface TlsFiles {
  /** The own certificate, followed by those between it and its authority. */
  cert: string;
  /** Its key, without a passphrase. */
  key: string;
  /** The authorities that sign the other side's certificates. */
  ca: string;
  /** A client's: the name that the server's certificate must be of, when it is reached under another. */
  serverName?: string;
}

/** What a side of TLS shows of itself, and whom it believes. PEM. */
export interface TlsIdentity {
  cert?: Buffer;
  key?: Buffer;
  ca?: Buffer;
  /** See TlsFiles. */
  serverName?: string;
}

/** What was read of the files. */
export interface TlsRead {
  identity: TlsIdentity;
  /** When the first of the certificates ends; undefined: there is none but authorities. */
  endsAtMs: number | undefined;
}

/** Files that TLS cannot be done with. The message names them and says what to do. */
export class TlsFilesError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'TlsFilesError';
  }
}

/**
 * Reads the files and checks that they belong together, which TLS itself would notice only at the next connection.
 *
 * @throws TlsFilesError
 */
export async function readTlsFiles(files: TlsFiles): Promise<TlsRead> {
  return checked(files, await readBytes(files));
}

/** The same, unless they are what was read before: to check certificates takes much longer. @throws TlsFilesError */
export async function readNewTlsFiles(files: TlsFiles, before: TlsIdentity): Promise<TlsRead | undefined> {
  const identity = await readBytes(files);
  return isSame(identity, before) ? undefined : checked(files, identity);
}

async function readBytes(files: TlsFiles): Promise<TlsIdentity> {
  if ((files.cert === '') !== (files.key === ''))
    throw new TlsFilesError('a certificate and its key are set together, or neither');
  const [cert, key, ca] = await Promise.all([files.cert, files.key, files.ca].map(readPem));
  const { serverName } = files;
  return { ...(cert && { cert }), ...(key && { key }), ...(ca && { ca }), ...(serverName && { serverName }) };
}

function checked(files: TlsFiles, identity: TlsIdentity): TlsRead {
  const { cert, key, ca } = identity;
  if (ca !== undefined) certificatesOf(ca, files.ca);
  const chain = cert === undefined ? [] : certificatesOf(cert, files.cert);
  const own = chain[0];
  if (own !== undefined && key !== undefined && !own.checkPrivateKey(readKey(key, files.key)))
    throw new TlsFilesError(`the key in ${files.key} is not that of the first certificate in ${files.cert}`);
  try {
    createSecureContext(identity);
  } catch (error) {
    throw new TlsFilesError(`${files.cert} and ${files.key}: ${(error as Error).message}`, { cause: error });
  }
  const ends = chain.map(({ validToDate }) => validToDate.getTime());
  return { identity, endsAtMs: ends.length === 0 ? undefined : Math.min(...ends) };
}

async function readPem(path: string): Promise<Buffer | undefined> {
  if (path === '') return undefined;
  try {
    return await readFile(path);
  } catch (error) {
    throw new TlsFilesError(`${path} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

/** All of them: OpenSSL stops without a word at one that it cannot read. */
function certificatesOf(pem: Buffer, path: string): X509Certificate[] {
  const text = pem.toString('latin1');
  const begun = text.match(/-----BEGIN CERTIFICATE-----/g)?.length ?? 0;
  const whole = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (begun === 0) throw new TlsFilesError(`there is no certificate in ${path}: PEM is wanted`);
  if (begun !== whole.length) throw new TlsFilesError(`a certificate in ${path} is cut off`);
  return whole.map((each) => {
    try {
      return new X509Certificate(each);
    } catch (error) {
      throw new TlsFilesError(`a certificate in ${path} is broken: ${(error as Error).message}`, { cause: error });
    }
  });
}

/** The cause is left out: nothing of a key is to reach a log. */
function readKey(pem: Buffer, path: string) {
  try {
    return createPrivateKey(pem);
  } catch {
    throw new TlsFilesError(`there is no key in ${path}: PEM without a passphrase is wanted`);
  }
}

function isSame(a: TlsIdentity, b: TlsIdentity): boolean {
  return (['cert', 'key', 'ca'] as const).every((part) => String(a[part]) === String(b[part]));
}
