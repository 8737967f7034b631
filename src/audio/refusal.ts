const ACCEPTED = 'WAV, MP3, MP4, Ogg, WebM, M4A, AAC or FLAC';

/** The verdict that ends the reading of a file; its message is one sentence or two for the uploader. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly reason: 'unsupported' | 'unreadable';

  constructor(reason: 'unsupported' | 'unreadable', message: string) {
    super(message);
    this.reason = reason;
  }
}

/** Not one of the eight formats. `finding` is a sentence without its full stop. */
export function unsupported(finding: string): Refusal {
  return new Refusal('unsupported', `${finding}; upload a ${ACCEPTED} file that holds sound.`);
}

/** One of the eight formats, but corrupt. `finding` is a sentence without its full stop. */
export function unreadable(finding: string): Refusal {
  return new Refusal('unreadable', `${finding}; export the recording again and upload the new file.`);
}
