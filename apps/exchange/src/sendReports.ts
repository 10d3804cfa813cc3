import { randomUUID } from 'node:crypto';
import http from 'node:http';
import https from 'node:https';
import { RpcChannel, type RpcError, signWebhook } from '@stockbroker/rpc';
import { CallbackServiceDefinition, type OrderReport, ReportOrdersRequest } from '@stockbroker/rpc/exchange';
import { reasonOf } from '@stockbroker/runtime';
import { grpcAddress } from './callbackUrl.ts';

/** What came of one attempt to report. */
export interface Answer {
  /** True when the broker answered with success. */
  delivered: boolean;
  /** The HTTP status, the gRPC code or the failure, for people. */
  text: string;
}

/** Reports to one callback URL. */
export interface Sender {
  /**
   * Makes one attempt; it never rejects. A message that is sent again keeps its id and gets a new timestamp.
   *
   * @throws Error (at once) when the reports cannot be written as protobuf JSON
   */
  send(messageId: string, reports: OrderReport[]): Promise<Answer>;
  /** Cuts what is in flight. */
  close(): void;
}

interface SenderOptions {
  signingKey: Buffer;
  /** How long one attempt may take. */
  timeoutMs: number;
}

/** Connections kept to one host, for all URLs there. */
const MAX_SOCKETS = 16;

/** Opens senders that share their connections. */
export class Senders {
  readonly #options: SenderOptions;
  readonly #agents = {
    'http:': new http.Agent({ keepAlive: true, maxSockets: MAX_SOCKETS }),
    'https:': new https.Agent({ keepAlive: true, maxSockets: MAX_SOCKETS }),
  };

  constructor(options: SenderOptions) {
    this.#options = options;
  }

  open(callbackUrl: string): Sender {
    const address = grpcAddress(callbackUrl);
    return address === undefined ? this.#openHttp(new URL(callbackUrl)) : openGrpc(address, this.#options);
  }

  close(): void {
    for (const agent of Object.values(this.#agents)) agent.destroy();
  }

  #openHttp(url: URL): Sender {
    const { signingKey, timeoutMs } = this.#options;
    const aborted = new AbortController();
    return {
      send: (messageId, reports) => {
        const body = Buffer.from(JSON.stringify(ReportOrdersRequest.toJSON({ reports })));
        const agent = this.#agents[url.protocol === 'https:' ? 'https:' : 'http:'];
        const signed = signWebhook(signingKey, body, Date.now(), messageId);
        const headers = { 'content-type': 'application/json', 'content-length': body.length, ...signed };
        return post(url, { method: 'POST', agent, headers }, body, timeoutMs, aborted.signal);
      },
      close: () => aborted.abort(),
    };
  }
}

export function newMessageId(): string {
  return `msg_${randomUUID()}`;
}

function openGrpc(address: string, { signingKey, timeoutMs }: SenderOptions): Sender {
  const channel = new RpcChannel(address);
  const client = channel.client(CallbackServiceDefinition);
  const aborted = new AbortController();
  return {
    send: (messageId, reports) => {
      // The client encodes the message once more; the encoding is deterministic, so these are the bytes that go out.
      const body = ReportOrdersRequest.encode({ reports }).finish();
      const headers = { ...signWebhook(signingKey, body, Date.now(), messageId) };
      return client.reportOrders({ reports }, { timeoutMs, headers, signal: aborted.signal }).then(
        () => ({ delivered: true, text: 'OK' }),
        (error: RpcError) => ({ delivered: false, text: `${error.codeName}: ${error.message}` }),
      );
    },
    close: () => {
      aborted.abort();
      channel.close();
    },
  };
}

/** node:http, because a message costs 150 to 210 µs of CPU with it and 600 to 700 with fetch. Redirects are failures. */
function post(url: URL, options: http.RequestOptions, body: Buffer, timeoutMs: number, signal: AbortSignal): Promise<Answer> {
  return new Promise((resolve) => {
    let status: number | undefined;
    let failure: Error | undefined;
    const { request: open } = url.protocol === 'https:' ? https : http;
    const request = open(url, { ...options, signal }, (response) => {
      status = response.statusCode;
      response.resume();
    });
    const timer = setTimeout(() => request.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    request.on('error', (error) => {
      failure = error;
    });
    // Comes after the answer's end or the error, whichever it is, and always comes.
    request.on('close', () => {
      clearTimeout(timer);
      if (status !== undefined) resolve({ delivered: status >= 200 && status < 300, text: `HTTP ${status}` });
      else if (request.reusedSocket && isCut(failure)) {
        // The server closed an idle connection just as it was used again: no answer to this message.
        resolve(post(url, options, body, timeoutMs, signal));
      } else resolve({ delivered: false, text: failure === undefined ? 'the connection was closed' : reasonOf(failure) });
    });
    request.end(body);
  });
}

function isCut(failure: Error | undefined): boolean {
  return failure !== undefined && 'code' in failure && (failure.code === 'ECONNRESET' || failure.code === 'EPIPE');
}
