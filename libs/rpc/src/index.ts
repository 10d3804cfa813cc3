export { type CallOptions, RpcChannel, type RpcClient } from './client.ts';
export { type FieldViolation, RpcError, type RpcErrorDetails, Status } from './rpcError.ts';
export { type CallContext, GrpcServer, type GrpcServerOptions, type Handlers } from './server.ts';
export { parseWebhookSecret, signWebhook, verifyWebhook, WebhookError, type WebhookHeaders } from './webhook.ts';
