/** The LIKE pattern of all texts that have `part` in them, in which % and _ are ordinary characters. */
export const containing = (part: string): string => `%${part.replace(/[\\%_]/g, '\\$&')}%`;
