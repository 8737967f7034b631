/** Who goes first in the queue of renditions: somebody waits on the line; a new upload; a recording from before. */
export const PRIORITIES = { waited: 0, new: 1, filling: 2 } as const;
