/** What a client needs whatever transport it has: no server library and no transport is imported by it, so that browsers can load it. */
export { BadRequest, ErrorInfo, RetryInfo } from './generated/google/rpc/error_details.ts';
export { Status as StatusMessage } from './generated/google/rpc/status.ts';
export { type MethodDefinition, methodPath, type PartialRequestOf, type ResponseOf, type ServiceDefinition } from './service.ts';
