import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { create, createFileRegistry, type DescMethod, type DescMethodUnary, fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema, FileDescriptorSetSchema, timestampFromDate } from '@bufbuild/protobuf/wkt';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { GrpcServer, RpcError, Status, WebServer } from '@stockbroker/rpc';
import { Account, TradingServiceDefinition } from '@stockbroker/rpc/stockbroker';
import { descriptors } from '../../../../libs/rpc/src/generated/descriptors.ts';

/** What a process of servers tells: ports at first, then what it has used so far whenever it is asked. */
export type ServersTold = { ports: Record<ServerKind, number> } | { cpuMs: number };

export type ServerKind = 'gatewayWeb' | 'gatewayGrpc' | 'connectWeb';

/*
 * A process that answers TradingService.GetAccount with the same account on three ports: the gateway's servers, for browsers and for
 * gRPC, and Connect's server for Node. There is no database behind it, no token and no limit on calls: what is left is the server.
 */
const account = {
  customerId: 'c8a1f6f0-3d64-4c7e-9a55-0f6f3a3d1c11',
  cash: '100234.5600',
  held: '1894.2000',
  spendable: '98340.3600',
  positions: ['AAPL', 'AMZN', 'MSFT'].map((stockTicker) => ({ stockTicker, quantity: 120n, held: 10n })),
  buysBlocked: false,
};
const lastModified = new Date('2026-01-02T15:04:05.678Z');
const limits = { maxConnections: 1_000, maxCallsPerConnection: 1_000 };

const server = new GrpcServer({
  host: '127.0.0.1',
  port: 0,
  maxRequestBytes: 65_536,
  maxInFlight: 10_000,
  limits,
  toRpcError: (cause) => new RpcError(Status.INTERNAL, 'a handler failed', {}, { cause }),
});
const { getAccount } = TradingServiceDefinition.methods;
server.add(
  { ...TradingServiceDefinition, methods: { getAccount } },
  { getAccount: async () => Account.fromPartial({ ...account, lastModified }) },
);
const web = new WebServer({
  host: '127.0.0.1',
  port: 0,
  calls: server.calls,
  maxRequestBytes: 65_536,
  maxArriving: 10_000,
  limits,
  allowedOrigins: [],
});

const connectServer = createServer(
  connectNodeAdapter({
    routes: (router) => {
      const method = methodOfConnect();
      router.rpc(method, () => create(method.output, { ...account, lastModified: timestampFromDate(lastModified) }));
    },
  }),
);
await new Promise<void>((listening) => connectServer.listen(0, '127.0.0.1', listening));

process.on('message', () => tell({ cpuMs: cpuMs() }));
process.on('disconnect', () => process.exit());
const connectWeb = (connectServer.address() as AddressInfo).port;
tell({ ports: { gatewayWeb: await web.listen(), gatewayGrpc: await server.listen(), connectWeb } });

function tell(told: ServersTold): void {
  process.send?.(told);
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

function methodOfConnect(): DescMethodUnary {
  const file = descriptors.map(({ descriptor }) => fromBinary(FileDescriptorProtoSchema, Buffer.from(descriptor, 'base64')));
  const registry = createFileRegistry(create(FileDescriptorSetSchema, { file }));
  const method = registry.getService(TradingServiceDefinition.fullName)?.methods.find(isUnary);
  if (method === undefined) throw new Error('GetAccount is not in the descriptors');
  return method;
}

function isUnary(method: DescMethod): method is DescMethodUnary {
  return method.name === getAccount.name && method.methodKind === 'unary';
}
