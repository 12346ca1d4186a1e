/** Bytes in blocks of one size, and work on several of them at a time whose results come in order. Knows no format. */

/**
 * Blocks of exactly `size` bytes, the last one shorter, and none when the source is empty. Each has the buffer that `allocate`
 * gave for it; whoever gives one buffer again and again has done with a block when the next is asked for.
 */
export async function* blocksOf(
  source: AsyncIterable<Uint8Array>,
  size: number,
  allocate: () => Buffer = () => Buffer.allocUnsafeSlow(size),
): AsyncGenerator<Uint8Array> {
  let block = allocate();
  let filled = 0;
  for await (const chunk of source) {
    for (let at = 0; at < chunk.length; ) {
      const piece = chunk.subarray(at, at + size - filled);
      block.set(piece, filled);
      filled += piece.length;
      at += piece.length;
      if (filled === size) {
        yield block;
        block = allocate();
        filled = 0;
      }
    }
  }
  if (filled > 0) yield block.subarray(0, filled);
}

/** What `work` makes of each item, in their order; at most `limit` are worked on at a time, which bounds memory too. */
export async function* inOrder<Item, Result>(
  items: AsyncIterable<Item>,
  work: (item: Item) => Promise<Result>,
  limit: number,
): AsyncGenerator<Result> {
  const queue: Promise<Result>[] = [];
  for await (const item of items) {
    const result = work(item);
    // A failure is met when its turn comes; before that it must not count as unhandled.
    result.catch(() => {});
    queue.push(result);
    const first = queue.length >= limit ? queue.shift() : undefined;
    if (first !== undefined) yield await first;
  }
  for (const result of queue) yield await result;
}
