import { Server, ServerCredentials } from '@grpc/grpc-js';

/** A process that answers each call with its request. Tells its port, and ends with its parent. */
const asIs = (bytes: Buffer) => bytes;
const codec = { requestSerialize: asIs, requestDeserialize: asIs, responseSerialize: asIs, responseDeserialize: asIs };
const server = new Server();
server.addService(
  { echo: { path: '/bench.Echo/Echo', requestStream: false, responseStream: false, ...codec } },
  { echo: (call: { request: Buffer }, answer: (error: null, message: Buffer) => void) => answer(null, call.request) },
);
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error;
  process.send?.(port);
});
process.on('disconnect', () => process.exit());
