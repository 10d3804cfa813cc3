import type { SeededRandom } from '@stockbroker/runtime';
import { callHeaders, FLAG, frame, grpcMessage, HELLO, hpack, PREFACE, settings, TYPE, uint32 } from './http2Frames.ts';

/** What is sent on a fresh connection to a gRPC server. */
export interface FrameAttack {
  name: string;
  /** How the server takes it: it ends the connection, or bears with it, having lost nothing. */
  server: 'ends it' | 'bears it';
  bytes: (random: SeededRandom) => Buffer;
}

const PATH = '/grpc.health.v1.Health/Check';
const ends = (name: string, bytes: FrameAttack['bytes']): FrameAttack => ({ name, server: 'ends it', bytes });
const bears = (name: string, bytes: FrameAttack['bytes']): FrameAttack => ({ name, server: 'bears it', bytes });
const after = (...frames: Buffer[]) => Buffer.concat([HELLO, ...frames]);
const open = (stream: number, flags = 0) => frame(TYPE.headers, FLAG.endHeaders | flags, stream, callHeaders(PATH));
const repeat = (count: number, make: (i: number) => Buffer) => Array.from({ length: count }, (_, i) => make(i));
/** Frames of any type, flags and stream, with payloads of any bytes. */
const anyFrame = (random: SeededRandom) =>
  frame(random.below(12), random.below(256), random.pick([0, 1, 1, 2, 3, 2 ** 31 - 1]), random.bytes(random.below(64)));

export const FRAME_ATTACKS: FrameAttack[] = [
  ends('random bytes', (random) => random.bytes(4_096)),
  ends('an HTTP/1.1 request', () => Buffer.from('GET / HTTP/1.1\r\nhost: broker\r\n\r\n')),
  ends('a TLS hello', (random) => Buffer.concat([Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]), random.bytes(500)])),
  ends('a preface that goes wrong', () => Buffer.concat([PREFACE.subarray(0, 20), Buffer.from('X\r\n\r\n'), settings()])),
  ends('no settings after the preface', () => Buffer.concat([PREFACE, open(1)])),
  ends('a frame above the largest size', () => after(Buffer.from([0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1]), Buffer.alloc(20_000))),
  ends('settings of 7 bytes', () => after(frame(TYPE.settings, 0, 0, Buffer.alloc(7)))),
  ends('settings for a stream', () => after(frame(TYPE.settings, 0, 1, Buffer.alloc(6)))),
  ends('an acknowledgement with settings in it', () => after(frame(TYPE.settings, FLAG.ack, 0, Buffer.alloc(6)))),
  ends('a frame size that may not be', () => after(settings([5, 1]))),
  ends('a window above 2^31', () => after(settings([4, 2 ** 31]))),
  ends('headers without a stream', () => after(frame(TYPE.headers, FLAG.endHeaders, 0, callHeaders(PATH)))),
  ends('headers on a stream of the server', () => after(frame(TYPE.headers, FLAG.endHeaders, 2, callHeaders(PATH)))),
  ends('data on a stream that is not open', () => after(frame(TYPE.data, 0, 7, Buffer.alloc(5)))),
  ends('data without a stream', () => after(frame(TYPE.data, 0, 0, Buffer.alloc(5)))),
  ends('more padding than data', () => after(open(1), frame(TYPE.data, FLAG.padded, 1, Buffer.from([200, 1, 2])))),
  ends('a promise from a client', () => after(open(1), frame(TYPE.pushPromise, FLAG.endHeaders, 1, Buffer.alloc(8)))),
  ends('a ping of 7 bytes', () => after(frame(TYPE.ping, 0, 0, Buffer.alloc(7)))),
  ends('a window update of nothing', () => after(frame(TYPE.windowUpdate, 0, 0, uint32(0)))),
  ends('a window that overflows', () => after(...repeat(3, () => frame(TYPE.windowUpdate, 0, 0, uint32(2 ** 31 - 1))))),
  ends('a header table entry that is not there', () => after(frame(TYPE.headers, FLAG.endHeaders, 1, Buffer.from([0xff, 0x7f])))),
  ends('a header integer without an end', () => after(frame(TYPE.headers, FLAG.endHeaders, 1, Buffer.alloc(64, 0xff)))),
  ends('a continuation of nothing', () => after(frame(TYPE.continuation, FLAG.endHeaders, 1, callHeaders(PATH)))),
  ends('headers interrupted by a ping', () =>
    after(frame(TYPE.headers, 0, 1, callHeaders(PATH)), frame(TYPE.ping, 0, 0, Buffer.alloc(8))),
  ),
  ends('a flood of continuations', () =>
    after(
      frame(TYPE.headers, 0, 1, callHeaders(PATH)),
      ...repeat(20_000, () => frame(TYPE.continuation, 0, 1, hpack([['x', 'y']]))),
    ),
  ),
  ends('a flood of streams that are reset at once', () =>
    after(...repeat(20_000, (i) => Buffer.concat([open(2 * i + 1), frame(TYPE.rstStream, 0, 2 * i + 1, uint32(8))]))),
  ),
  bears('a flood of pings whose answers are not read', () =>
    after(...repeat(50_000, () => frame(TYPE.ping, 0, 0, Buffer.alloc(8)))),
  ),
  bears('a flood of settings whose answers are not read', () => after(...repeat(50_000, () => settings([3, 100])))),
  bears('a stream with a lower number than the one before', () => after(open(5), open(3))),
  ends('a header of 200 kB', () => {
    const fields = callHeaders(PATH, [['x-large', 'a'.repeat(200_000)]]);
    const parts = repeat(Math.ceil(fields.length / 16_000), (i) => fields.subarray(i * 16_000, (i + 1) * 16_000));
    return after(
      ...parts.map((part, i) =>
        frame(i === 0 ? TYPE.headers : TYPE.continuation, i === parts.length - 1 ? FLAG.endHeaders : 0, 1, part),
      ),
    );
  }),
  bears('a header name in capitals', () => after(frame(TYPE.headers, FLAG.endHeaders, 1, callHeaders(PATH, [['X-Y', 'z']])))),
  bears('no path', () => after(frame(TYPE.headers, FLAG.endHeaders | FLAG.endStream, 1, hpack([[':method', 'POST']])))),
  bears('a stream that depends on itself', () => after(frame(TYPE.priority, 0, 1, Buffer.concat([uint32(1), Buffer.from([1])])))),
  bears('frames of an unknown type', (random) => after(...repeat(100, () => frame(0x42, 0xff, 0, random.bytes(50))))),
  ends('frames of no data', () => after(open(1), ...repeat(2_000, () => frame(TYPE.data, 0, 1)))),
  bears('many calls that want no byte of an answer', () =>
    after(
      settings([4, 0]),
      ...repeat(200, (i) =>
        Buffer.concat([open(2 * i + 1), frame(TYPE.data, FLAG.endStream, 2 * i + 1, grpcMessage(Buffer.alloc(0)))]),
      ),
    ),
  ),
  bears('half a frame', () => after(open(1).subarray(0, 20))),
  bears('a request that does not end', () =>
    after(open(1), frame(TYPE.data, 0, 1, grpcMessage(Buffer.alloc(10), { length: 1_000 }))),
  ),
];

/** Frames in no order, of which most are wrong. */
export const anyFrames = (random: SeededRandom) =>
  Buffer.concat([HELLO, ...repeat(1 + random.below(20), () => anyFrame(random))]);
