import {
  create,
  createFileRegistry,
  type DescMethod,
  type DescMethodStreaming,
  type DescMethodUnary,
  fromBinary,
  toBinary,
} from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { ConnectError } from '@connectrpc/connect';
import { createConnectTransport, createGrpcWebTransport } from '@connectrpc/connect-web';
import { HealthDefinition } from '@stockbroker/rpc/health';
import { TradingServiceDefinition } from '@stockbroker/rpc/stockbroker';
import { GrpcWebClientBase, MethodDescriptor, MethodType, type RpcError } from 'grpc-web';
import { type ClientError, createChannel, createClient, FetchTransport, Metadata } from 'nice-grpc-web';
import { descriptors } from '../../libs/rpc/src/generated/descriptors.ts';
import { type Detail, readStatus } from './details.ts';
import { zippingFetch } from './zippingFetch.ts';

const services = [TradingServiceDefinition, HealthDefinition] as const;
export type MethodName = { [K in 0 | 1]: keyof (typeof services)[K]['methods'] }[0 | 1];

export interface Call {
  /** Of the gateway. */
  url: string;
  method: MethodName;
  request: object;
  /** Left out when empty. */
  token: string;
  /** 0: none. */
  timeoutMs: number;
  /** Sends the request compressed, where the client lets it. */
  zipped: boolean;
}

export interface Answers {
  signal: AbortSignal;
  onMessage: (message: unknown) => void;
}

export class Failure extends Error {
  readonly code: number;
  readonly details: Detail[];
  constructor(code: number, message: string, details: Detail[], options: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.details = details;
  }
}

/** Makes a call and resolves when it has ended well. @throws Failure */
type Client = (call: Call, answers: Answers) => Promise<void>;

/** All take and give the messages of ts-proto, of which those that have messages of their own are told as bytes. */
export const clients = {
  'grpc-web, text': official('text'),
  'grpc-web, binary': official('binary'),
  'nice-grpc-web': nice,
  'connect-web, gRPC-Web': connect((options) => createGrpcWebTransport(options)),
  'connect-web, Connect': connect((options) => createConnectTransport(options)),
} as const satisfies Record<string, Client>;

interface Untyped {
  name: string;
  requestType: { fromPartial(request: object): unknown; encode(request: unknown): { finish(): Uint8Array } };
  responseType: { decode(bytes: Uint8Array): unknown };
  responseStream: boolean;
}

function find(name: MethodName): { service: (typeof services)[number]; method: Untyped; path: string } {
  for (const service of services) {
    const method = (service.methods as Record<string, unknown>)[name] as Untyped | undefined;
    if (method !== undefined) return { service, method, path: `/${service.fullName}/${method.name}` };
  }
  throw new Error(`no service has ${name}`);
}

const authorization = (token: string): Record<string, string> => (token === '' ? {} : { authorization: `Bearer ${token}` });

function official(format: 'text' | 'binary'): Client {
  return ({ url, method: name, request, token, timeoutMs }, { signal, onMessage }) =>
    new Promise((resolve, reject) => {
      const { method, path } = find(name);
      const { requestType, responseType, responseStream } = method;
      const descriptor = new MethodDescriptor<unknown, unknown>(
        path,
        responseStream ? MethodType.SERVER_STREAMING : MethodType.UNARY,
        Object,
        Object,
        (message: unknown) => requestType.encode(message).finish(),
        (bytes: Uint8Array) => responseType.decode(bytes),
      );
      const client = new GrpcWebClientBase({ format });
      const message = requestType.fromPartial(request);
      const metadata = { ...authorization(token), ...(timeoutMs === 0 ? {} : { deadline: String(Date.now() + timeoutMs) }) };
      const fail = (cause: RpcError) => {
        const bytes = cause.metadata?.['grpc-status-details-bin'];
        reject(new Failure(cause.code, cause.message, bytes === undefined ? [] : readStatus(fromBase64(bytes)), { cause }));
      };
      const called = responseStream
        ? client.serverStreaming(url + path, message, metadata, descriptor)
        : client.rpcCall(url + path, message, metadata, descriptor, (error, response) => {
            if (error !== null) return fail(error);
            onMessage(response);
            resolve();
          });
      if (responseStream) called.on('data', onMessage).on('error', fail).on('end', resolve);
      signal.addEventListener('abort', () => {
        called.cancel(); // It tells nothing more.
        reject(new Failure(1, 'cancelled', [], {}));
      });
    });
}

async function nice({ url, method: name, request, token, timeoutMs }: Call, { signal, onMessage }: Answers): Promise<void> {
  const { service, method } = find(name);
  const client = createClient(service, createChannel(url, FetchTransport())) as unknown as Record<
    string,
    (request: object, options: object) => Promise<unknown> & AsyncIterable<unknown>
  >;
  let details: Detail[] = [];
  const options = {
    signal,
    metadata: new Metadata({ ...authorization(token), ...(timeoutMs === 0 ? {} : { 'grpc-timeout': `${timeoutMs}m` }) }),
    onTrailer: (trailer: Metadata) => {
      const bytes = trailer.get('grpc-status-details-bin');
      if (bytes !== undefined) details = readStatus(bytes);
    },
  };
  try {
    const called = client[name]?.(request, options);
    if (called === undefined) throw new Error(`there is no ${name}`);
    if (method.responseStream) for await (const message of called) onMessage(message);
    else onMessage(await called);
  } catch (cause) {
    if (signal.aborted) throw new Failure(1, 'cancelled', [], { cause });
    const { code, details: message } = cause as ClientError;
    throw new Failure(code ?? 2, message ?? String(cause), details, { cause });
  }
}

type TransportOptions = Parameters<typeof createConnectTransport>[0];

function connect(createTransport: (options: TransportOptions) => ReturnType<typeof createConnectTransport>): Client {
  return async ({ url, method: name, request, token, timeoutMs, zipped }, { signal, onMessage }) => {
    const { service, method } = find(name);
    const described = descriptorOf(service.fullName, method.name);
    const transport = createTransport({ baseUrl: url, ...(zipped ? { fetch: zippingFetch } : {}) });
    const message = fromBinary(described.input, method.requestType.encode(method.requestType.fromPartial(request)).finish());
    const take = (response: Parameters<typeof toBinary>[1]) =>
      onMessage(method.responseType.decode(toBinary(described.output, response)));
    const deadline = timeoutMs === 0 ? undefined : timeoutMs;
    try {
      if (described.methodKind === 'unary') {
        take((await transport.unary(described as DescMethodUnary, signal, deadline, authorization(token), message)).message);
      } else {
        const input = (async function* () {
          yield message;
        })();
        const streaming = described as DescMethodStreaming;
        const { message: responses } = await transport.stream(streaming, signal, deadline, authorization(token), input);
        for await (const response of responses) take(response);
      }
    } catch (cause) {
      const { code, rawMessage, details } = ConnectError.from(cause);
      const binary = details.flatMap((detail) => ('type' in detail ? [detail] : []));
      throw new Failure(code, rawMessage, binary, { cause });
    }
  };
}

const fromBase64 = (text: string) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

let registry: ReturnType<typeof createFileRegistry> | undefined;

function descriptorOf(service: string, method: string): DescMethod {
  registry ??= createFileRegistry(
    create(FileDescriptorSetSchema, {
      file: descriptors.map(({ descriptor }) => fromBinary(FileDescriptorProtoSchema, fromBase64(descriptor))),
    }),
  );
  const found = registry.getService(service)?.methods.find(({ name }) => name === method);
  if (found === undefined) throw new Error(`${service}/${method} is not in the descriptors`);
  return found;
}
