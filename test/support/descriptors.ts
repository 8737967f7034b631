import { existsSync, readdirSync, readlinkSync } from 'node:fs';

const DESCRIPTORS = '/proc/self/fd';

/** Can open descriptors be looked at on this system? */
export const areDescriptorsKnown = existsSync(DESCRIPTORS);

/** The files that this process holds open, of those whose path `isMeant`. */
export function openFiles(isMeant: (path: string) => boolean): string[] {
  return readdirSync(DESCRIPTORS).flatMap((descriptor) => {
    try {
      const path = readlinkSync(`${DESCRIPTORS}/${descriptor}`);
      return isMeant(path) ? [path] : [];
    } catch {
      // Closed meanwhile, as the one of this listing is.
      return [];
    }
  });
}
