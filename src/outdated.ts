/**
 * Resolves when others have heard of a change; at the latest when what they knew before it is out of date by itself, in
 * `outdatedMs`. Who cannot be told holds nobody up for longer. Never rejects.
 */
export async function heardOrOutdated(telling: Promise<unknown>, outdatedMs: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const outdated = setTimeout(resolve, outdatedMs);
  telling.then(resolve, () => undefined);
  await promise;
  clearTimeout(outdated);
}
