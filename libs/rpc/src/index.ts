export type { CallContext } from './callContext.ts';
export { Connections, type ConnectionsOptions, peerOf, type Refused } from './connections.ts';
export { type CallOptions, RpcChannel, type RpcClient } from './client.ts';
export { type FieldViolation, RpcError, type RpcErrorDetails, Status } from './rpcError.ts';
export { resetSocket } from './resetSocket.ts';
export { DEFAULT_LIMITS, type ServerLimits } from './limits.ts';
export { GrpcServer, type GrpcServerOptions, type Handlers, type ServiceOptions } from './server.ts';
export { parseWebhookSecret, signWebhook, verifyWebhook, WebhookError, type WebhookHeaders } from './webhook.ts';
