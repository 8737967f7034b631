import { strike } from '../catalogue/ledger.ts';
import type { DoomedBlob } from '../catalogue/prompts.ts';
import { passed } from '../steps.ts';
import type { ReceiveDeps } from './receive.ts';

/**
 * Removes the bytes of a prompt that is removed, and only then the ledger rows that know of them; should this fail, or
 * bytes land late in this store, the sweeper finds the rows. Never rejects.
 */
export async function removeDoomed(
  { db, blobs, onLeftBehind }: Pick<ReceiveDeps, 'db' | 'blobs' | 'onLeftBehind'>,
  doomed: readonly DoomedBlob[],
): Promise<void> {
  try {
    await blobs.remove(doomed.map(({ name, extension }) => `${name}.${extension}`));
    if (blobs.landsLate) return;
    await strike(
      db,
      doomed.map(({ name }) => name),
    );
    passed('struck');
  } catch (error) {
    onLeftBehind(error);
  }
}
