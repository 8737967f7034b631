import { strike } from '../catalogue/ledger.ts';
import { passed } from '../steps.ts';
import type { ReceiveDeps } from './receive.ts';

/**
 * Removes the bytes of a prompt that is removed, and only then the ledger row that knows of them; should this fail,
 * the sweeper finds the row. Never rejects.
 */
export async function removeDoomed(
  { db, blobs, onLeftBehind }: Pick<ReceiveDeps, 'db' | 'blobs' | 'onLeftBehind'>,
  name: string,
  key: string,
): Promise<void> {
  try {
    await blobs.remove([key]);
    await strike(db, [name]);
    passed('struck');
  } catch (error) {
    onLeftBehind(error);
  }
}
