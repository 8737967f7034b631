/** The closed table of what is accepted: the extension and content type that true bytes of each kind are given. */
export const FORMATS = {
  wav: { extension: 'wav', contentType: 'audio/wav' },
  mp3: { extension: 'mp3', contentType: 'audio/mpeg' },
  mp4: { extension: 'mp4', contentType: 'audio/mp4' },
  ogg: { extension: 'ogg', contentType: 'audio/ogg' },
  webm: { extension: 'webm', contentType: 'audio/webm' },
  m4a: { extension: 'm4a', contentType: 'audio/mp4' },
  aac: { extension: 'aac', contentType: 'audio/aac' },
  flac: { extension: 'flac', contentType: 'audio/flac' },
} as const;

export type Container = keyof typeof FORMATS;
