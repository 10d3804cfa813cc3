import { type TlsFiles, TlsFilesError } from './tlsFiles.ts';
import { TlsSource } from './tlsSource.ts';

/** Where it is told what becomes of the files. */
export interface TlsReport {
  log: { info(fields: object, message: string): void; error(fields: object, message: string): void };
  metrics: {
    counter(name: string, help: string): { inc(): void };
    gauge(name: string, help: string, read: () => number): void;
  };
  /** How often the files are looked at. */
  lookMs?: number;
}

/** A server's files. @returns undefined when none are named: no TLS. @throws TlsFilesError */
export async function openServerTls(files: TlsFiles, report: TlsReport): Promise<TlsSource | undefined> {
  if (files.ca !== '' && files.cert === '') throw new TlsFilesError('a server that asks for certificates needs one itself');
  return openTls('server', files, report);
}

/** Those of a client of the exchange. @returns undefined when none are named: no TLS. @throws TlsFilesError */
export async function openClientTls(files: TlsFiles, report: TlsReport): Promise<TlsSource | undefined> {
  if (files.ca === '' && (files.cert !== '' || files.serverName))
    throw new TlsFilesError('a client with a certificate, or that expects a name, needs the authorities of its server');
  return openTls('exchange', files, report);
}

/** The metrics are there without TLS as well, so that one alert fits all processes. */
async function openTls(
  side: 'server' | 'exchange',
  files: TlsFiles,
  { log, metrics, lookMs }: TlsReport,
): Promise<TlsSource | undefined> {
  const refused = metrics.counter(`${side}_tls_refused_total`, 'Replaced TLS files that could not be used');
  const isWanted = files.cert !== '' || files.key !== '' || files.ca !== '';
  const source = isWanted
    ? await TlsSource.open(files, {
        ...(lookMs === undefined ? {} : { lookMs }),
        onReplaced: (endsAtMs) => log.info({ side, endsAt: dateOf(endsAtMs) }, 'TLS files replaced'),
        onRefused: (error) => {
          refused.inc();
          log.error({ err: error, side }, 'TLS files refused: the old ones stay');
        },
      })
    : undefined;
  metrics.gauge(`${side}_tls_ends_timestamp_seconds`, 'When the own certificate ends; +Inf: there is none', () =>
    source?.endsAtMs === undefined ? Number.POSITIVE_INFINITY : source.endsAtMs / 1_000,
  );
  return source;
}

function dateOf(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString();
}
