import { z } from 'zod';
import { FORMATS } from '../../audio/formats.ts';
import { RENDITIONS } from '../../audio/renditions.ts';
import { RENDITION_KINDS } from '../../library/track.ts';
import { envelopeOf } from '../envelope-schemas.ts';
import { oneOf, wholeNumber } from '../fields.ts';
import { BANDS, ENGINES, WARNING_CODES } from './engines.ts';
import { promptParams, promptSchema } from './schemas.ts';

export const MAX_BUCKETS = 2000;
const DEFAULT_BUCKETS = 800;

/** Of the question for the url of an engine. */
export const playbackQuery = z.object({
  engine: oneOf('engine', ENGINES, 'What will play the prompt.'),
  band: oneOf(
    'band',
    BANDS,
    'How much of the sound the calls carry: `narrow` is 8 kHz, as on telephone lines; `wide` is 16 kHz.',
  ).default('narrow'),
});

/** Of the question for a waveform. */
export const waveformQuery = z.object({
  buckets: wholeNumber({
    name: 'buckets',
    least: 1,
    most: MAX_BUCKETS,
    preset: DEFAULT_BUCKETS,
    description: 'Parts of equal length to draw. A very short recording has fewer.',
  }).default(DEFAULT_BUCKETS),
});

/** With the path, so that one answer names every fault of both. */
export const playbackInput = z.object({ ...promptParams.shape, ...playbackQuery.shape });
export const waveformInput = z.object({ ...promptParams.shape, ...waveformQuery.shape });

const kind = z.enum(RENDITION_KINDS);
const unique = <const T extends string>(words: readonly T[]) => z.enum([...new Set(words)]);
const renditionType = unique(Object.values(RENDITIONS).map(({ contentType }) => contentType));
const renditionCodec = unique(Object.values(RENDITIONS).map(({ codec }) => codec));
const renditionExtension = unique(Object.values(RENDITIONS).map(({ extension }) => extension));
const hertz = z.int().min(1).meta({ description: 'Hz.' });
const decibels = (description: string) => z.number().nullable().meta({ description });
const milliseconds = z.int().min(0).nullable();

const renditionSchema = z
  .strictObject({
    rendition: kind,
    state: z.enum(['ready', 'pending', 'failed', 'unavailable']).meta({
      description:
        '`pending`: made in a moment, or as soon as its url is asked for. `failed`: cannot be made of this recording. `unavailable`: this service makes none.',
    }),
    url: z.string().meta({ description: 'Path that plays it, also while it is pending.' }),
    content_type: renditionType,
    codec: z.string().meta({ description: 'As ffprobe names it.' }),
    sample_rate: hertz,
    channels: z.int().min(1),
    file_size: z.int().min(1).nullable().meta({ description: 'Bytes; null until it is ready.' }),
    sha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/)
      .nullable()
      .meta({ description: 'Null until it is ready.' }),
    reason: z.string().nullable().meta({ description: 'Why it is failed or unavailable.' }),
  })
  .meta({ id: 'Rendition' });

const reportSchema = z
  .strictObject({
    loudness_lufs: decibels('Integrated loudness (EBU R 128); null in silence.'),
    true_peak_dbtp: decibels('True peak; null in silence.'),
    leading_silence_ms: milliseconds,
    trailing_silence_ms: milliseconds,
    decoded_duration_ms: milliseconds,
    warnings: z.array(
      z.strictObject({
        code: z.enum(['too_quiet', 'clipped', 'long_silence', 'truncated', 'very_short', 'narrowband']),
        message: z.string(),
      }),
    ),
  })
  .meta({ id: 'AudioReport', description: 'What was measured of the recording as it was uploaded.' });

/** A prompt asked for by itself. */
export const promptWithAudioAnswer = envelopeOf(
  'PromptWithAudioAnswer',
  z
    .strictObject({
      ...promptSchema.shape,
      renditions: z.array(renditionSchema).length(RENDITION_KINDS.length),
      audio_report: reportSchema.nullable().meta({ description: 'Null as long as nothing was measured.' }),
    })
    .meta({ id: 'PromptWithAudio' }),
);

export const playbackAnswer = envelopeOf(
  'PlaybackAnswer',
  z.strictObject({
    url: z.string().meta({ description: 'For the engine; a path where PUBLIC_BASE_URL is not set.' }),
    engine: z.enum(ENGINES),
    band: z.enum(BANDS),
    rendition: kind,
    content_type: renditionType,
    codec: renditionCodec,
    sample_rate: hertz,
    file_size: z.int().min(1).meta({ description: 'Bytes.' }),
    cache_seconds: z.int().min(0).nullable().meta({
      description: 'For how long the engine keeps its copy; null when it keeps none or fetches nothing.',
    }),
    warnings: z.array(z.strictObject({ code: z.enum(WARNING_CODES), message: z.string() })),
  }),
);

export const waveformAnswer = envelopeOf(
  'WaveformAnswer',
  z.strictObject({
    buckets: z.int().min(0).max(MAX_BUCKETS),
    duration_ms: z.int().min(0),
    peaks: z
      .array(z.tuple([z.number().min(-1).max(1), z.number().min(-1).max(1)]))
      .meta({ description: 'The least and the largest value of each part.' }),
  }),
);

export const capabilitiesAnswer = envelopeOf(
  'CapabilitiesAnswer',
  z.strictObject({
    converter: z
      .enum(['ffmpeg', 'wasm', 'none'])
      .meta({ description: 'What makes renditions; `none`: nothing does.' }),
    version: z.string().nullable(),
    reason: z.string().meta({ description: 'Why it is this one.' }),
    formats: z
      .array(
        z.strictObject({
          container: z.enum(Object.keys(FORMATS) as (keyof typeof FORMATS)[]),
          extension: z.string(),
          content_type: z.string(),
        }),
      )
      .meta({ description: 'What may be uploaded.' }),
    renditions: z
      .array(
        z.strictObject({
          rendition: kind,
          extension: renditionExtension,
          content_type: renditionType,
          codec: renditionCodec,
          sample_rate: hertz,
          channels: z.int().min(1),
        }),
      )
      .meta({ description: 'What recordings are converted to where there is a converter.' }),
    loudness_lufs: z
      .number()
      .nullable()
      .meta({ description: 'What renditions are brought to; null: their level stays as it is.' }),
    limits: z.strictObject({
      max_upload_bytes: z.int().min(1),
      max_name_length: z.int().min(1).meta({ description: 'Characters.' }),
      max_waveform_buckets: z.int().min(1),
    }),
  }),
);
