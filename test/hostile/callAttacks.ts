import type { OutgoingHttpHeaders } from 'node:http2';
import { gzipSync } from 'node:zlib';
import { Status } from '@stockbroker/rpc';
import type { Callee } from './callees.ts';
import type { GrpcAnswer, RawCall } from './grpcCall.ts';
import { grpcMessage } from './http2Frames.ts';
import { BROKEN_TIMEOUTS, HUGE_TIMEOUTS, PASSED_TIMEOUTS } from './timeouts.ts';

/** A call that breaks gRPC or protobuf, made to a method whose good call is known. */
export interface CallAttack {
  name: string;
  call: (callee: Callee) => RawCall;
  /** The one answer; 'as good': the same as for the good call. */
  answer: Partial<GrpcAnswer> | 'as good';
}

const zeros = (bytes: number) => Buffer.alloc(bytes);
const nested = (depth: number) => Buffer.concat([Buffer.alloc(depth, 0x7b), Buffer.alloc(depth, 0x7c)]);

/** With the credentials of a good call of these bytes. */
function framed(
  name: string,
  frame: (message: Buffer) => Buffer,
  answer: CallAttack['answer'],
  headers: OutgoingHttpHeaders = {},
) {
  const call = (callee: Callee): RawCall => ({
    path: callee.path,
    headers: { ...callee.headersFor(callee.message), ...headers },
    body: frame(callee.message),
  });
  return { name, call, answer };
}

function message(name: string, bytes: (good: Buffer) => Buffer, answer: CallAttack['answer']): CallAttack {
  const call = (callee: Callee): RawCall => {
    const body = bytes(callee.message);
    return { path: callee.path, headers: callee.headersFor(body), body: grpcMessage(body) };
  };
  return { name, call, answer };
}

/** A broken message has one answer, whoever it is signed by, but a signed callback is kept: then it is the good one’s. */
export const NO_PROTOBUF = {
  code: Status.INVALID_ARGUMENT,
  message: 'the request is not a valid protobuf message of this method',
};

export const MESSAGE_ATTACKS: CallAttack[] = [
  message('random bytes', () => Buffer.from('ff8041c3d2b10f77', 'hex'), NO_PROTOBUF),
  message('a tag of nothing', () => zeros(3), NO_PROTOBUF),
  message('a good message, a tag of nothing and more', (good) => Buffer.concat([good, zeros(2)]), NO_PROTOBUF),
  message('a good message, the end of a group and more', (good) => Buffer.concat([good, Buffer.from([0x7c, 8, 1])]), NO_PROTOBUF),
  message('a tag of eleven bytes', () => Buffer.from([...Array(10).fill(0xff), 1]), NO_PROTOBUF),
  message('a length beyond the end', () => Buffer.from([0x0a, 0x7f, 0x41]), NO_PROTOBUF),
  message('a length of 2^32 - 1', () => Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x41]), NO_PROTOBUF),
  message('a wire type that is none', () => Buffer.from([0x0f, 1]), NO_PROTOBUF),
  message('a group without an end', () => Buffer.from([0x7b, 0x08]), NO_PROTOBUF),
  message('groups 400 deep', () => nested(400), NO_PROTOBUF),
  message('groups 25,000 deep', () => nested(25_000), NO_PROTOBUF),
  message('a good message among 5,000 unknown fields', (good) => withUnknown(good), 'as good'),
];

export const FRAMING_ATTACKS: CallAttack[] = [
  framed('no message', () => zeros(0), { code: Status.UNIMPLEMENTED }),
  framed('a message cut off', (good) => grpcMessage(good, { length: good.length + 10 }), { code: Status.UNIMPLEMENTED }),
  framed('a length of 4 GB', (good) => grpcMessage(good, { length: 2 ** 32 - 1 }), { code: Status.RESOURCE_EXHAUSTED }),
  framed('two messages', (good) => Buffer.concat([grpcMessage(good), grpcMessage(good)]), { code: Status.UNIMPLEMENTED }),
  framed('half the five bytes before a message', () => zeros(3), { code: Status.UNIMPLEMENTED }),
  framed(
    'a compression that nobody knows',
    (good) => grpcMessage(good, { flag: 1 }),
    { code: Status.UNIMPLEMENTED },
    {
      'grpc-encoding': 'br',
    },
  ),
  framed(
    'gzip that is none',
    () => grpcMessage(Buffer.from('no gzip'), { flag: 1 }),
    { code: Status.INTERNAL },
    {
      'grpc-encoding': 'gzip',
    },
  ),
  framed(
    'gzip that grows to 64 MB',
    () => grpcMessage(gzipSync(zeros(64 * 1024 * 1024)), { flag: 1 }),
    { code: Status.RESOURCE_EXHAUSTED },
    {
      'grpc-encoding': 'gzip',
    },
  ),
  framed('another content type', grpcMessage, { http: 415, code: undefined }, { 'content-type': 'application/json' }),
  ...BROKEN_TIMEOUTS.map((timeout) =>
    framed(
      `the deadline ${JSON.stringify(timeout)}, which is none`,
      grpcMessage,
      { code: Status.INVALID_ARGUMENT },
      {
        'grpc-timeout': Buffer.from(timeout).toString('latin1'),
      },
    ),
  ),
  ...PASSED_TIMEOUTS.map((timeout) =>
    framed(
      `the deadline ${timeout}, which has passed`,
      grpcMessage,
      { code: Status.DEADLINE_EXCEEDED },
      {
        'grpc-timeout': timeout,
      },
    ),
  ),
  ...HUGE_TIMEOUTS.map((timeout) =>
    framed(`the deadline ${timeout}, beyond all timers`, grpcMessage, 'as good', { 'grpc-timeout': timeout }),
  ),
  framed('a binary header that is no base64', grpcMessage, 'as good', { 'x-note-bin': '*** not base64 ***' }),
  framed('a header that is no ASCII', grpcMessage, 'as good', { 'x-note': 'h\u00e9' }),
  {
    name: 'a method that there is not',
    call: () => ({ path: '/no.Such/Method', body: grpcMessage(zeros(0)) }),
    answer: { code: Status.UNIMPLEMENTED },
  },
  {
    name: 'a path of 20 kB',
    call: () => ({ path: `/${'x'.repeat(20_000)}`, body: grpcMessage(zeros(0)) }),
    answer: { code: Status.UNIMPLEMENTED },
  },
];

function withUnknown(good: Buffer): Buffer {
  const fields = Array.from({ length: 5_000 }, (_, i) => Buffer.from([0xf8, 0x3f, i % 128]));
  return Buffer.concat([...fields, good]);
}
