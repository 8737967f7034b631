/**
 * Makes a function that does for many at once what each asks for: who comes while a round is on its way is in the
 * next one. At most one round runs at a time; `perform` gets all that came since the last one began, in their order.
 *
 * All of a round share its fate, and so do those who came during one that failed: what it stands on is away, and
 * another try would only make them wait as long again. Who comes after that gets a round of its own.
 */
export function together<Item>(
  perform: (items: readonly Item[]) => Promise<void>,
): (item: Item) => Promise<void> {
  let waiting: Item[] = [];
  let next: Promise<void> | undefined;
  let running: Promise<void> | undefined;

  const take = () => {
    const items = waiting;
    waiting = [];
    next = undefined;
    return items;
  };
  const begin = async (before: Promise<void> | undefined) => {
    try {
      await before;
    } catch (error) {
      take();
      throw error;
    }
    const round = perform(take());
    running = round;
    await round.finally(() => {
      if (running === round) running = undefined;
    });
  };

  return (item) => {
    waiting.push(item);
    next ??= begin(running);
    return next;
  };
}
