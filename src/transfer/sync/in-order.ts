/**
 * Acts on several items at the same time and yields what came of them in the order of the items. `act` never rejects:
 * a failure is one of its results.
 * @param width items at the same time
 */
export async function* inOrder<Item, Result>(
  items: AsyncIterable<Item>,
  width: number,
  act: (item: Item) => Promise<Result>,
): AsyncGenerator<Result> {
  const running: Promise<Result>[] = [];
  let failure: { error: unknown } | undefined;
  try {
    try {
      for await (const item of items) {
        running.push(act(item));
        if (running.length >= width) yield await running.shift()!;
      }
    } catch (error) {
      // What was begun before is told all the same.
      failure = { error };
    }
    while (running.length > 0) yield await running.shift()!;
  } finally {
    // Whoever stops early has nothing left at work behind their back.
    await Promise.all(running);
  }
  if (failure !== undefined) throw failure.error;
}
