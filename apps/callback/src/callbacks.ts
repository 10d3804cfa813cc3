import { jsonNumberProblems, RpcError, Status, verifyWebhook, WebhookError, type WebhookHeaders } from '@stockbroker/rpc';
import { type OrderReport, ReportOrdersRequest } from '@stockbroker/rpc/exchange';
import { OverloadedError } from '@stockbroker/runtime';
import { quarantineReport, type SettlePorts, StoreUnavailableError } from '@stockbroker/trade-flow';
import type { HttpAnswer } from './httpServer.ts';
import { MAX_REPORTS, takeReports } from './takeReports.ts';

export interface CallbackPorts extends SettlePorts {
  /** Any of these may have signed. */
  keys: readonly Buffer[];
  /** For a failure that nobody expected. */
  onFailure: (error: unknown) => void;
}

type Header = (name: keyof WebhookHeaders) => string | undefined;

const RETRY_AFTER_SECONDS = 1;

/** A callback over HTTP: protobuf JSON. Only a 2xx ends the exchange's retries. */
export async function takeHttpCallback(ports: CallbackPorts, header: Header, body: Buffer): Promise<HttpAnswer> {
  try {
    verifyWebhook(ports.keys, header, body, ports.clock.now());
    const received = parseJson(body);
    if (received === null) {
      await quarantineReport(ports, null, 'malformed: the body is not a ReportOrdersRequest in JSON', body);
    } else {
      await takeReports(ports, received.reports, received.problems);
    }
    return { status: 200, body: {} };
  } catch (error) {
    if (error instanceof WebhookError) return { status: 401, body: { error: error.message } };
    if (!isTemporary(error)) ports.onFailure(error);
    return { status: 503, body: { error: 'not stored, send it again' }, retryAfterSeconds: RETRY_AFTER_SECONDS };
  }
}

/** A callback over gRPC, signed over the bytes of the request. `request` is null when those are no ReportOrdersRequest. */
export async function takeGrpcCallback(
  ports: CallbackPorts,
  header: Header,
  raw: Uint8Array,
  request: ReportOrdersRequest | null,
): Promise<void> {
  verifyWebhook(ports.keys, header, raw, ports.clock.now());
  if (request === null) await quarantineReport(ports, null, 'malformed: the body is not a ReportOrdersRequest in protobuf', raw);
  else if (request.reports.length > MAX_REPORTS) await quarantineReport(ports, null, tooMany(request.reports.length), raw);
  else await takeReports(ports, request.reports);
}

export function toRpcError(ports: CallbackPorts, error: unknown): RpcError {
  if (error instanceof RpcError) return error;
  if (error instanceof WebhookError) return new RpcError(Status.UNAUTHENTICATED, error.message, {}, { cause: error });
  if (!isTemporary(error)) ports.onFailure(error);
  return new RpcError(
    Status.UNAVAILABLE,
    'not stored, send it again',
    { retryAfterMs: RETRY_AFTER_SECONDS * 1_000 },
    { cause: error },
  );
}

function isTemporary(error: unknown): boolean {
  return error instanceof StoreUnavailableError || error instanceof OverloadedError;
}

/**
 * Null when the body is not what the exchange's contract says: asking for it again would bring the same. A number that is none is the
 * trouble of its own report: the generated code would make some number of it.
 */
function parseJson(body: Buffer): { reports: OrderReport[]; problems: (string | undefined)[] } | null {
  try {
    const json: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
    if (typeof json !== 'object' || json === null || !Array.isArray((json as { reports?: unknown }).reports)) return null;
    const sent = (json as { reports: unknown[] }).reports;
    if (sent.length > MAX_REPORTS) return null;
    const { reports } = ReportOrdersRequest.fromJSON(json);
    return { reports, problems: sent.map(numberProblem) };
  } catch {
    return null;
  }
}

function numberProblem(report: unknown): string | undefined {
  const [problem] = jsonNumberProblems('exchange.v1.OrderReport', report);
  return problem === undefined ? undefined : `${problem.field} ${problem.description}`;
}

function tooMany(count: number): string {
  return `malformed: ${count} reports in one callback, at most ${MAX_REPORTS} are allowed`;
}
