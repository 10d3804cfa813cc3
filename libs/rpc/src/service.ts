import type { BinaryReader } from '@bufbuild/protobuf/wire';

/** The parts that this library uses of what ts-proto generates for a service (outputServices=generic-definitions). */
export interface MethodDefinition {
  name: string;
  requestType: MessageCodec;
  requestStream: boolean;
  responseType: MessageCodec;
  responseStream: boolean;
}

interface MessageCodec<T = unknown> {
  encode(message: T): { finish(): Uint8Array };
  decode(input: BinaryReader | Uint8Array): T;
  fromPartial(object: object): T;
}

export interface ServiceDefinition {
  name: string;
  fullName: string;
  methods: Record<string, MethodDefinition>;
}

type Decoded<M> = M extends { decode(input: never): infer T } ? T : never;
export type RequestOf<M extends MethodDefinition> = Decoded<M['requestType']>;
export type ResponseOf<M extends MethodDefinition> = Decoded<M['responseType']>;
/** What a caller may give: fields left out have their default. A oneof is given whole. */
export type PartialRequestOf<M extends MethodDefinition> = DeepPartial<RequestOf<M>>;

type DeepPartial<T> = T extends Date | Uint8Array | { $case: string }
  ? T
  : T extends (infer U)[]
    ? DeepPartial<U>[]
    : T extends object
      ? { [K in keyof T]?: DeepPartial<T[K]> | undefined }
      : T;

/** The path of a method on the wire, e.g. "/stockbroker.v1.TradingService/PlaceTrade". */
export function methodPath(service: ServiceDefinition, method: MethodDefinition): string {
  return `/${service.fullName}/${method.name}`;
}

/** Of all methods of a service, as calls name them. */
export function methodPaths(service: ServiceDefinition): string[] {
  return Object.values(service.methods).map((method) => methodPath(service, method));
}
