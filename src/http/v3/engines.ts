import type { RenditionKind } from '../../audio/renditions.ts';

/** What plays prompts. */
export const ENGINES = [
  'asterisk',
  'freeswitch',
  'jambonz',
  'twilio',
  'plivo',
  'vonage',
  'bandwidth',
  'sinch',
  'amazon_connect',
  'browser',
] as const;
export type Engine = (typeof ENGINES)[number];

export const BANDS = ['narrow', 'wide'] as const;
export type Band = (typeof BANDS)[number];

/** What somebody should know before a call depends on it: stable, machine-readable, each with why. */
export const WARNING_CODES = [
  /** PUBLIC_BASE_URL is not set, so the url is a path. */
  'relative_url',
  /** The url, which is the permission, travels unencrypted, or is not played at all. */
  'plain_http',
  /** PLAYBACK_ACCESS=token, and the engine cannot send one. */
  'token_required',
  /** The engine fetches no urls: the bytes have to be brought to it. */
  'not_fetched',
  /** It keeps no copy, so that every playing is a download. */
  'not_cached',
  /** It keeps its copy for longer than it is told. */
  'cached_longer',
  /** Its copies are stale so soon that it asks at nearly every playing. */
  'short_max_age',
  /** The file is larger than the engine takes by default. */
  'too_large',
  /** The engine downloads only so often. */
  'few_downloads',
  /** Wideband was asked for, and the engine has none. */
  'narrowband_only',
] as const;

export interface EngineWarning {
  readonly code: (typeof WARNING_CODES)[number];
  /** One sentence for a person. */
  readonly message: string;
}

/** How this service hands out its audio. */
export interface Delivery {
  /** Undefined where urls are told as paths. */
  readonly publicBaseUrl: string | undefined;
  readonly access: 'link' | 'token';
  readonly maxAgeSeconds: number;
}

interface Asked extends Delivery {
  readonly band: Band;
  /** Bytes of the rendition. */
  readonly fileSize: number;
}

interface EngineRule {
  /** As people write it. */
  readonly name: string;
  readonly renditions: Readonly<Record<Band, RenditionKind>>;
  /** Who fetches: the operator's own machine, somebody else's over the internet, a page in a browser, or nobody. */
  readonly fetches: 'nearby' | 'far' | 'page' | 'never';
  /** For how long it keeps its copy, s; null when it keeps none. */
  readonly cacheSeconds: (delivery: Delivery) => number | null;
  readonly warnings?: (asked: Asked) => readonly (EngineWarning | false)[];
}

const asTold = ({ maxAgeSeconds }: Delivery) => maxAgeSeconds;
/** mod_httapi asks again after its file-cache-ttl of 300 s, or max-age where that is less: signalwire/freeswitch, mod_httapi.c. */
const HTTAPI_SECONDS = 300;
const byHttapi = ({ maxAgeSeconds }: Delivery) => Math.min(maxAgeSeconds, HTTAPI_SECONDS);
const everywhere = (kind: RenditionKind) => ({ narrow: kind, wide: kind });

/** Below that, Asterisk would ask about a prompt that is played again and again while a lock on its whole cache is held. */
const LEAST_FOR_ASTERISK = 60;
const DAY = 86_400;
/** Said as 1 MB, without which one. */
const SINCH_BYTES = 1_000_000;

/** The closed table of engines: which rendition each plays, how long it keeps its copy, and what to mind. */
const RULES: Readonly<Record<Engine, EngineRule>> = {
  // format_wav.c takes 8 kHz PCM, and 16 kHz only under the name .wav16; res_http_media_cache.c keeps for max-age and
  // then asks with HEAD, under the lock of its cache (asterisk/asterisk).
  asterisk: {
    name: 'Asterisk',
    renditions: { narrow: 'pcm8k', wide: 'wav16' },
    fetches: 'nearby',
    cacheSeconds: asTold,
    warnings: ({ maxAgeSeconds }) => [
      maxAgeSeconds < LEAST_FOR_ASTERISK && {
        code: 'short_max_age',
        message:
          'Asterisk asks again once PLAYBACK_MAX_AGE_SECONDS are over, and holds up every other remote playback while it waits for the answer; set it to 60 or more.',
      },
    ],
  },
  // mod_httapi plays http and https urls unless told otherwise; sndfile takes both rates (signalwire/freeswitch).
  freeswitch: {
    name: 'FreeSWITCH',
    renditions: { narrow: 'pcm8k', wide: 'pcm16k' },
    fetches: 'nearby',
    cacheSeconds: byHttapi,
  },
  // Its media server is FreeSWITCH, which plays urls by mod_httapi, too.
  jambonz: {
    name: 'jambonz',
    renditions: { narrow: 'pcm8k', wide: 'pcm16k' },
    fetches: 'nearby',
    cacheSeconds: byHttapi,
  },
  // <Play> takes MP3, keeps it for max-age and then asks with the ETag (twilio.com, TwiML Play; error 13420).
  twilio: { name: 'Twilio', renditions: everywhere('mp3'), fetches: 'far', cacheSeconds: asTold },
  // Play takes MP3; every media server keeps its own copy for max-age (support.plivo.com, 360041883391).
  plivo: { name: 'Plivo', renditions: everywhere('mp3'), fetches: 'far', cacheSeconds: asTold },
  // A stream is 16 bit WAV or MP3, and nothing is kept of what came encrypted (developer.vonage.com, NCCO stream).
  vonage: {
    name: 'Vonage',
    renditions: { narrow: 'pcm8k', wide: 'pcm16k' },
    fetches: 'far',
    cacheSeconds: (delivery) => (isPlain(delivery) ? asTold(delivery) : null),
    warnings: (asked) => [
      !isPlain(asked) && {
        code: 'not_cached',
        message:
          'Vonage keeps no copy of what it fetches over https, so every playing downloads the file again.',
      },
    ],
  },
  // An ordinary cache (RFC 9111) that goes by Content-Type for the format (dev.bandwidth.com, PlayAudio).
  bandwidth: { name: 'Bandwidth', renditions: everywhere('mp3'), fetches: 'far', cacheSeconds: asTold },
  // 1 MB a file, 50 downloads an hour, copies for at least a day; MP3 is the smallest that it plays
  // (developers.sinch.com, external media).
  sinch: {
    name: 'Sinch',
    renditions: everywhere('mp3'),
    fetches: 'far',
    cacheSeconds: ({ maxAgeSeconds }) => Math.max(maxAgeSeconds, DAY),
    warnings: ({ fileSize, maxAgeSeconds }) => [
      fileSize > SINCH_BYTES && {
        code: 'too_large',
        message: `The file has ${fileSize} bytes, and Sinch takes 1 MB unless the contract says otherwise; shorten the prompt.`,
      },
      {
        code: 'few_downloads',
        message: 'Sinch downloads 50 times and 50 MB an hour at most unless the contract says otherwise.',
      },
      maxAgeSeconds < DAY && {
        code: 'cached_longer',
        message:
          'Sinch keeps its copy for at least 24 hours, whatever PLAYBACK_MAX_AGE_SECONDS says; a prompt that was deleted plays on for as long.',
      },
    ],
  },
  // Prompts come from S3, 8 kHz µ-law in WAV (docs.aws.amazon.com/connect, setup-prompts-s3).
  amazon_connect: {
    name: 'Amazon Connect',
    renditions: everywhere('ulaw8k'),
    fetches: 'never',
    cacheSeconds: () => null,
    warnings: ({ band }) => [
      {
        code: 'not_fetched',
        message:
          'Amazon Connect takes no url but the URI of an object in S3; download this file and put it into a bucket of yours.',
      },
      band === 'wide' && {
        code: 'narrowband_only',
        message: 'Amazon Connect plays prompts of 8 kHz alone; this is that one.',
      },
    ],
  },
  // Every browser plays MP3; one on https loads nothing over http (W3C, Mixed Content).
  browser: { name: 'A browser', renditions: everywhere('mp3'), fetches: 'page', cacheSeconds: asTold },
};

/** Which rendition an engine plays. */
export function renditionFor(engine: Engine, band: Band): RenditionKind {
  return RULES[engine].renditions[band];
}

/** For how long an engine keeps its copy, s; null when it keeps none, or never gets one. */
export function cacheSecondsOf(engine: Engine, delivery: Delivery): number | null {
  return lacksToken(engine, delivery) ? null : RULES[engine].cacheSeconds(delivery);
}

/** What to mind before this engine is given the url. */
export function warningsFor(engine: Engine, asked: Asked): readonly EngineWarning[] {
  const { name, fetches, warnings } = RULES[engine];
  const found: readonly (EngineWarning | false)[] = [
    asked.publicBaseUrl === undefined && {
      code: 'relative_url',
      message:
        'The url is a path: put the address before it under which this service is reached, or set PUBLIC_BASE_URL.',
    },
    lacksToken(engine, asked) && {
      code: 'token_required',
      message: `${name} cannot send a token, which PLAYBACK_ACCESS=token demands; set it to link.`,
    },
    fetches === 'far' &&
      isPlain(asked) && {
        code: 'plain_http',
        message: `${name} fetches over the internet, and whoever sees the url there may play it; let PUBLIC_BASE_URL begin with https.`,
      },
    fetches === 'page' &&
      isPlain(asked) && {
        code: 'plain_http',
        message:
          'A page that came over https plays nothing that comes over http; let PUBLIC_BASE_URL begin with https.',
      },
    ...(warnings?.(asked) ?? []),
  ];
  return found.filter((warning) => warning !== false);
}

function lacksToken(engine: Engine, { access }: Delivery): boolean {
  return access === 'token' && RULES[engine].fetches !== 'never';
}

/** Known to be unencrypted; of a path nobody knows. */
function isPlain({ publicBaseUrl }: Delivery): boolean {
  return publicBaseUrl?.toLowerCase().startsWith('http:') ?? false;
}
