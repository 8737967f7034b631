import { randomBytes } from 'node:crypto';

/** 128 random bits, of which a UUID would leave 122. */
const RANDOM_BYTES = 16;
/** Decimal digits that 2^128 needs. */
const DIGITS = 39;

/**
 * A name nobody had before and nobody can guess: `file-<epoch ms>-<39 digits>`. The url made of it is a
 * capability, so its randomness is the key to the audio.
 */
export function newRecordingName(): string {
  const random = BigInt(`0x${randomBytes(RANDOM_BYTES).toString('hex')}`);
  return `file-${Date.now()}-${random.toString().padStart(DIGITS, '0')}`;
}

/** Could this be a name that we gave? Saves the database a query for everything else. */
export function isRecordingName(text: string): boolean {
  return /^file-\d{13}-\d{39}$/.test(text);
}
