import { readNewTlsFiles, readTlsFiles, type TlsFiles, TlsFilesError, type TlsIdentity, type TlsRead } from './tlsFiles.ts';

export interface TlsSourceOptions {
  /** How often the files are looked at. */
  lookMs?: number;
  /** Files were replaced and are used from now on. */
  onReplaced?: (endsAtMs: number | undefined) => void;
  /** Files were replaced by some that cannot be used: what was read before stays. Once for each such content. */
  onRefused?: (error: TlsFilesError) => void;
}

const LOOK_MS = 5_000;

/**
 * The certificate, key and authorities in files, as they are now. The files are read again and again: watching them would miss
 * what is renamed into place or swapped by a link, which is how certificates are replaced.
 */
export class TlsSource {
  readonly #files: TlsFiles;
  readonly #options: TlsSourceOptions;
  readonly #listeners = new Set<(identity: TlsIdentity) => void>();
  readonly #timer: NodeJS.Timeout;
  #read: TlsRead;
  /** What the last look found unusable: two files are rarely replaced in the same instant, so it is told if the next finds it too. */
  #broken: string | undefined;
  #told: string | undefined;
  #looking = false;

  private constructor(files: TlsFiles, read: TlsRead, options: TlsSourceOptions) {
    this.#files = files;
    this.#read = read;
    this.#options = options;
    this.#timer = setInterval(() => void this.#look(), options.lookMs ?? LOOK_MS).unref();
  }

  /** @throws TlsFilesError when they cannot be used */
  static async open(files: TlsFiles, options: TlsSourceOptions = {}): Promise<TlsSource> {
    return new TlsSource(files, await readTlsFiles(files), options);
  }

  get identity(): TlsIdentity {
    return this.#read.identity;
  }

  /** When the certificate ends; undefined: there are only authorities. */
  get endsAtMs(): number | undefined {
    return this.#read.endsAtMs;
  }

  /** @returns ends it */
  follow(listener: (identity: TlsIdentity) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#listeners.clear();
  }

  async #look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      const read = await readNewTlsFiles(this.#files, this.identity);
      if (read === undefined) this.#isFine();
      else if (isOver(read) && !isOver(this.#read))
        throw new TlsFilesError(`the new certificate in ${this.#files.cert} has ended`);
      else this.#replace(read);
    } catch (error) {
      this.#refuse(error instanceof TlsFilesError ? error : new TlsFilesError((error as Error).message, { cause: error }));
    } finally {
      this.#looking = false;
    }
  }

  #replace(read: TlsRead): void {
    for (const listener of this.#listeners) listener(read.identity);
    // Last: what a listener could not use is tried again by the next look, and told.
    this.#read = read;
    this.#isFine();
    this.#options.onReplaced?.(read.endsAtMs);
  }

  #isFine(): void {
    this.#broken = undefined;
    this.#told = undefined;
  }

  #refuse(error: TlsFilesError): void {
    const isLasting = this.#broken === error.message;
    this.#broken = error.message;
    if (!isLasting || this.#told === error.message) return;
    this.#told = error.message;
    this.#options.onRefused?.(error);
  }
}

function isOver({ endsAtMs = Number.POSITIVE_INFINITY }: TlsRead): boolean {
  return endsAtMs < Date.now();
}
