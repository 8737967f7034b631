/**
 * Everything the library can refuse or fail with. A dialect decides what each looks like.
 *
 * Refusals: `name-taken`, `org-unit-not-found`, `prompt-not-found`, `quota-exceeded` (the org unit may not keep
 * that much), `file-too-large`, `file-empty`,
 * `unsupported-format` (not one of the eight), `unreadable-audio` (one of the eight, but broken),
 * `upload-interrupted` (the bytes stopped before their end).
 *
 * Of renditions: `rendition-failed` (it cannot be made of this recording), `rendition-pending` (it took too long this
 * time), `no-converter` (this service makes none).
 *
 * Faults: `storage-full`, `unavailable` (database or blob store away; for a write, whether it happened is
 * unknown), `recording-missing` (a catalogued prompt without its bytes: never seen unless somebody else
 * touched the store).
 */
export const LIBRARY_ERROR_CODES = [
  'name-taken',
  'org-unit-not-found',
  'prompt-not-found',
  'quota-exceeded',
  'file-too-large',
  'file-empty',
  'unsupported-format',
  'unreadable-audio',
  'upload-interrupted',
  'rendition-failed',
  'rendition-pending',
  'no-converter',
  'storage-full',
  'unavailable',
  'recording-missing',
] as const;
export type LibraryErrorCode = (typeof LIBRARY_ERROR_CODES)[number];

/** The message is one sentence for the person who made the request. */
export class LibraryError extends Error {
  override readonly name = 'LibraryError';
  readonly code: LibraryErrorCode;

  constructor(code: LibraryErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
