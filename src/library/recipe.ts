/**
 * The number of the set of renditions that a recording shall have. To be raised by whoever adds a kind: recordings
 * that were complete with fewer are then filled in, in the background.
 */
export const RECIPE = 1;
