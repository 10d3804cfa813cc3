const CHUNK_BYTES = 65_536;

/**
 * A body that is still being sent when its answer comes: so many bytes, as fast as they are taken, and then nothing more, but no end
 * either. An endless one may be pulled long after its answer, for as long as its process lives and until the machine has no memory
 * left: whether a client stops depends on how its connection ended.
 */
export class UnfinishedBody {
  readonly stream: ReadableStream<Uint8Array>;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;

  constructor(bytes: number) {
    let left = bytes;
    this.stream = new ReadableStream({
      start: (controller) => {
        this.#controller = controller;
      },
      pull: (controller) => {
        if (left <= 0) return;
        left -= CHUNK_BYTES;
        controller.enqueue(new Uint8Array(CHUNK_BYTES));
      },
    });
  }

  /** Its sender gives it up. */
  giveUp(): void {
    this.#controller?.error(new Error('given up'));
  }
}
