/**
 * Joins two streams that are each in order of id, keeping one item of each in memory.
 *
 * @throws Error when a stream is not in order: the join would be wrong
 */
export async function* mergeById<L, R>(
  left: AsyncIterable<L>,
  right: AsyncIterable<R>,
  idOf: { left: (item: L) => string; right: (item: R) => string },
): AsyncGenerator<{ id: string; left: L | null; right: R | null }> {
  const lefts = inOrder(left, idOf.left);
  const rights = inOrder(right, idOf.right);
  try {
    let [l, r] = await Promise.all([lefts.next(), rights.next()]);
    while (l.done !== true || r.done !== true) {
      const id = l.done === true ? (r.value?.id ?? '') : r.done === true || l.value.id < r.value.id ? l.value.id : r.value.id;
      const [hasLeft, hasRight] = [l.done !== true && l.value.id === id, r.done !== true && r.value.id === id];
      yield { id, left: hasLeft ? (l.value?.item ?? null) : null, right: hasRight ? (r.value?.item ?? null) : null };
      [l, r] = await Promise.all([hasLeft ? lefts.next() : l, hasRight ? rights.next() : r]);
    }
  } finally {
    await Promise.all([lefts.return(undefined), rights.return(undefined)]);
  }
}

async function* inOrder<T>(
  items: AsyncIterable<T>,
  idOf: (item: T) => string,
): AsyncGenerator<{ id: string; item: T }, undefined> {
  let last = '';
  for await (const item of items) {
    const id = idOf(item);
    if (id <= last) throw new Error(`${id} comes after ${last}: not in order of id`);
    last = id;
    yield { id, item };
  }
}
