/**
 * Makes a function that does for many at once what each asks for: who comes while a round is on its way is in the
 * next one. At most one round runs at a time; `perform` gets all that came since the last one began, in their order.
 * All of a round share its fate.
 */
export function together<Item>(
  perform: (items: readonly Item[]) => Promise<void>,
): (item: Item) => Promise<void> {
  let waiting: Item[] = [];
  let next: Promise<void> | undefined;
  let running: Promise<void> = Promise.resolve();

  const begin = async () => {
    await running.catch(() => undefined);
    const items = waiting;
    waiting = [];
    next = undefined;
    running = perform(items);
    await running;
  };

  return (item) => {
    waiting.push(item);
    next ??= begin();
    return next;
  };
}
