/** The words that a dialect may use of the library, as lists to check a request against. */

/** The kinds of prompt that a call flow tells apart. */
export const MESSAGE_TYPES = ['prompt', 'whisper', 'voicemail', 'survey'] as const;
export type MessageType = (typeof MESSAGE_TYPES)[number];

/** What a list can be ordered by. */
export const SORT_KEYS = ['created_on', 'name', 'message_type', 'duration_ms', 'file_size'] as const;
export type SortKey = (typeof SORT_KEYS)[number];

/** The longest name of a prompt, characters. */
export const MAX_NAME_LENGTH = 255;
/** The longest description of a prompt, characters. */
export const MAX_DESCRIPTION_LENGTH = 1000;
