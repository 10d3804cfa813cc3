import { type Server, type ServerDuplexStream, status as Status } from '@grpc/grpc-js';
import { descriptors } from './generated/descriptors.ts';
import {
  ServerReflectionDefinition,
  ServerReflectionRequest,
  ServerReflectionResponse,
} from './generated/grpc/reflection/v1/reflection.ts';

const byFile = new Map(descriptors.map((file) => [file.name, file]));
const bySymbol = new Map(descriptors.flatMap((file) => file.symbols.map((symbol) => [symbol, file] as const)));

/**
 * grpc.reflection, so that a stranger can explore with grpcurl or `buf curl`. Tools of before 2023 know only v1alpha, which has
 * the same messages. The published package drops dependencies between files and does not bundle.
 */
export function addReflection(server: Server, services: () => string[]): void {
  for (const version of ['v1', 'v1alpha']) {
    const method = ServerReflectionDefinition.methods.serverReflectionInfo;
    const definition = {
      path: `/grpc.reflection.${version}.ServerReflection/${method.name}`,
      requestStream: true,
      responseStream: true,
      requestSerialize: (message: ServerReflectionRequest) => Buffer.from(ServerReflectionRequest.encode(message).finish()),
      requestDeserialize: decoded,
      responseSerialize: (message: ServerReflectionResponse) => Buffer.from(ServerReflectionResponse.encode(message).finish()),
      responseDeserialize: (bytes: Buffer) => ServerReflectionResponse.decode(bytes),
    };
    const handler = (call: ServerDuplexStream<Asked, ServerReflectionResponse>) => {
      // An answer is hundreds of times longer than its question: a client that does not read gets no more of them.
      call.on('data', (request: Asked) => {
        if (request === MALFORMED) {
          const details = 'the request is not a valid protobuf message of this method';
          call.emit('error', { code: Status.INVALID_ARGUMENT, details });
        } else if (
          !call.write({ validHost: request.host, originalRequest: request, messageResponse: answer(request, services) })
        ) {
          call.pause();
        }
      });
      call.on('drain', () => call.resume());
      call.on('end', () => call.end());
    };
    server.addService({ serverReflectionInfo: definition }, { serverReflectionInfo: handler });
  }
}

const MALFORMED = Symbol('malformed');
type Asked = ServerReflectionRequest | typeof MALFORMED;

/** What a deserializer throws, grpc-js answers as a fault of the server's. */
function decoded(bytes: Buffer): Asked {
  try {
    return ServerReflectionRequest.decode(bytes);
  } catch {
    return MALFORMED;
  }
}

type Answer = ServerReflectionResponse['messageResponse'];

function answer({ messageRequest: asked }: ServerReflectionRequest, services: () => string[]): Answer {
  switch (asked?.$case) {
    case 'listServices':
      return { $case: 'listServicesResponse', value: { service: services().map((name) => ({ name })) } };
    case 'fileByFilename':
      return fileAnswer(byFile.get(asked.value)?.name, asked.value);
    case 'fileContainingSymbol':
      return fileAnswer(bySymbol.get(asked.value)?.name, asked.value);
    default:
      return failure(Status.UNIMPLEMENTED, 'there are no extensions to ask for');
  }
}

function fileAnswer(name: string | undefined, asked: string): Answer {
  if (name === undefined) return failure(Status.NOT_FOUND, `nothing is called ${asked}`);
  return { $case: 'fileDescriptorResponse', value: { fileDescriptorProto: withDependencies(name) } };
}

function withDependencies(name: string, seen = new Set<string>()): Uint8Array[] {
  const file = byFile.get(name);
  if (file === undefined || seen.has(name)) return [];
  seen.add(name);
  return [
    Buffer.from(file.descriptor, 'base64'),
    ...file.dependencies.flatMap((dependency) => withDependencies(dependency, seen)),
  ];
}

function failure(errorCode: number, errorMessage: string): Answer {
  return { $case: 'errorResponse', value: { errorCode, errorMessage } };
}
