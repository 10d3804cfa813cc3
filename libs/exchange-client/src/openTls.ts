import { openClientTls, type TlsReport, type TlsSource } from '@stockbroker/rpc';
import type { ConfigOf } from '@stockbroker/runtime';
import type { exchangeVariables } from './variables.ts';

type Config = ConfigOf<typeof exchangeVariables>;

/** TLS towards the exchange. @returns undefined when it is not configured. @throws TlsFilesError when its files cannot be used */
export function openExchangeTls(
  config: Pick<Config, 'EXCHANGE_TLS_CA' | 'EXCHANGE_TLS_CERT' | 'EXCHANGE_TLS_KEY' | 'EXCHANGE_TLS_SERVER_NAME'>,
  report: TlsReport,
): Promise<TlsSource | undefined> {
  const { EXCHANGE_TLS_CA: ca, EXCHANGE_TLS_CERT: cert, EXCHANGE_TLS_KEY: key, EXCHANGE_TLS_SERVER_NAME: serverName } = config;
  return openClientTls({ ca, cert, key, serverName }, report);
}
