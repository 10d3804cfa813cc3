import { existsSync, readFileSync } from 'node:fs';
import { BrokerClient, type BrokerError } from '@stockbroker/client';
import { RpcChannel, type RpcClient, type TlsIdentity } from '@stockbroker/rpc';
import { TradingServiceDefinition } from '@stockbroker/rpc/stockbroker';
import { reasonOf } from '@stockbroker/runtime';
import { demoCustomers, issuerFolder, openIssuer } from '@stockbroker/testkit/processes';
import { uuidOf } from '@stockbroker/trading';
import { UserError } from './cli.ts';
import { dataFolder, readConnection } from './devFolder.ts';

export type TradingClient = RpcClient<typeof TradingServiceDefinition>;

export interface ClientOptions {
  /** A call with all its attempts. */
  timeoutMs: number;
  onRetry?: (error: BrokerError, waitMs: number) => void;
  customer?: string | undefined;
  /** host:port, or https://host:port. */
  gateway?: string | undefined;
  /** PEM file of the authorities that sign the gateway's certificate; by default those that Node knows. */
  ca?: string | undefined;
  token?: string | undefined;
  'data-dir'?: string | undefined;
}

export interface OpenClient {
  broker: BrokerClient;
  address: string;
  token: string;
  close(): void;
}

/** A client in the name of a customer: of the broker that runs here, unless the options or the environment name another. */
export async function openClient(options: ClientOptions): Promise<OpenClient> {
  const dataDir = dataFolder(options['data-dir']);
  const running = readConnection(dataDir);
  const address = options.gateway ?? process.env.GATEWAY_ADDRESS ?? running?.gateway;
  if (address === undefined) throw new UserError('No broker is running here. Start one with: npm start');
  const [, secure, hostAndPort] = /^(https:\/\/)?([^\s/]+:\d+)\/?$/.exec(address) ?? [];
  if (hostAndPort === undefined) {
    throw new UserError(`The gateway must be host:port, or https://host:port with TLS, but is ${JSON.stringify(address)}.`);
  }
  const ca = options.ca ?? process.env.GATEWAY_CA;
  if (options.ca !== undefined && secure === undefined) throw new UserError('--ca is for a gateway with TLS: https://host:port.');
  const tls = secure === undefined ? undefined : readAuthorities(ca);
  const issuerDir = running?.issuerDir ?? issuerFolder(dataDir);
  const token =
    options.token ?? process.env.STOCKBROKER_TOKEN ?? (await mintToken(issuerDir, running?.issuer, options.customer ?? 'alice'));
  const channel = new RpcChannel(hostAndPort, { authorization: `Bearer ${token}` }, tls);
  const broker = new BrokerClient({
    calls: channel.client(TradingServiceDefinition),
    timeoutMs: options.timeoutMs,
    ...(options.onRetry === undefined ? {} : { onRetry: options.onRetry }),
  });
  return { broker, address, token, close: () => channel.close() };
}

function readAuthorities(file: string | undefined): TlsIdentity {
  if (file === undefined || file === '') return {};
  try {
    return { ca: readFileSync(file) };
  } catch (error) {
    throw new UserError(`The authorities' certificates cannot be read: ${reasonOf(error)}`);
  }
}

async function mintToken(issuerDir: string, issuer: string | undefined, customer: string): Promise<string> {
  if (!existsSync(issuerDir)) {
    throw new UserError('A token is needed: give one with --token or STOCKBROKER_TOKEN. Only npm start makes them by itself.');
  }
  return (await openIssuer(issuerDir, issuer)).tokenFor(customerId(customer));
}

function customerId(customer: string): string {
  const known = demoCustomers.find(({ name }) => name === customer.toLowerCase())?.customerId ?? uuidOf(customer);
  if (known !== undefined) return known;
  const names = demoCustomers.map(({ name }) => name).join(', ');
  throw new UserError(`There is no customer ${JSON.stringify(customer)}: give ${names}, or a customer id (a UUID).`);
}

/** The error's words without the client library's own around them. */
export function plain({ message }: Error): string {
  return /Last error: (?:Error: )?(.+?)\. Resolution note/.exec(message)?.[1] ?? message;
}
