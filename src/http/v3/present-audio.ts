import { FORMATS } from '../../audio/formats.ts';
import { RENDITIONS, type RenditionKind } from '../../audio/renditions.ts';
import type { AudioReport, Conversion, PromptWithAudio, RenditionStatus } from '../../library/renditions.ts';
import { RENDITION_KINDS, renditionFile, type Track } from '../../library/track.ts';
import { MAX_NAME_LENGTH } from '../../library/vocabulary.ts';
import { playbackPath } from '../playback.ts';
import { MAX_BUCKETS } from './audio-schemas.ts';
import { type Band, cacheSecondsOf, type Delivery, type Engine, warningsFor } from './engines.ts';

/** What a prompt asked for by itself has beside the members of every prompt. */
export function presentAudio({ prompt, renditions, report }: PromptWithAudio) {
  return {
    renditions: renditions.map((status) => presentRendition(prompt.recording.name, status)),
    // What could not be decoded was not measured either, though there is a row that says so.
    audio_report: report === undefined || report.decodedDurationMs === null ? null : presentReport(report),
  };
}

function presentRendition(recordingName: string, status: RenditionStatus) {
  const { kind, state } = status;
  // One that is not there yet will be what the table says.
  const { codec, sampleRate, channels } = state === 'ready' ? status : RENDITIONS[kind];
  const track = state === 'ready' ? status.track : undefined;
  return {
    rendition: kind,
    state,
    url: playbackPath(renditionFile(recordingName, kind)),
    content_type: RENDITIONS[kind].contentType,
    codec,
    sample_rate: sampleRate,
    channels,
    file_size: track?.fileSize ?? null,
    sha256: track?.sha256 ?? null,
    reason: 'reason' in status ? status.reason : null,
  };
}

function presentReport(report: AudioReport) {
  return {
    loudness_lufs: inTenths(report.loudnessLufs),
    true_peak_dbtp: inTenths(report.truePeakDbtp),
    leading_silence_ms: report.leadingSilenceMs,
    trailing_silence_ms: report.trailingSilenceMs,
    decoded_duration_ms: report.decodedDurationMs,
    warnings: report.warnings.map(({ code, message }) => ({ code, message })),
  };
}

/** Nobody hears less than a tenth of a decibel, and single precision would show in the digits after it. */
const inTenths = (decibels: number | null) => (decibels === null ? null : Math.round(decibels * 10) / 10);

/** The url of a rendition for an engine, and what to know about it. */
export function presentPlayback(
  { engine, band, kind, track }: { engine: Engine; band: Band; kind: RenditionKind; track: Track },
  delivery: Delivery,
) {
  const { codec, sampleRate } = RENDITIONS[kind];
  return {
    url: `${delivery.publicBaseUrl ?? ''}${playbackPath(track.file)}`,
    engine,
    band,
    rendition: kind,
    content_type: track.contentType,
    codec,
    sample_rate: sampleRate,
    file_size: track.fileSize,
    cache_seconds: cacheSecondsOf(engine, delivery),
    warnings: warningsFor(engine, { ...delivery, band, fileSize: track.fileSize }),
  };
}

/** What this service can do, and how much. */
export function presentCapabilities(
  { converter, version, reason }: Conversion,
  { loudnessLufs, maxUploadBytes }: { loudnessLufs: number | 'off'; maxUploadBytes: number },
) {
  return {
    converter,
    version: version ?? null,
    reason,
    formats: Object.entries(FORMATS).map(([container, { extension, contentType }]) => ({
      container,
      extension,
      content_type: contentType,
    })),
    renditions: RENDITION_KINDS.map((kind) => {
      const { extension, contentType, codec, sampleRate, channels } = RENDITIONS[kind];
      return {
        rendition: kind,
        extension,
        content_type: contentType,
        codec,
        sample_rate: sampleRate,
        channels,
      };
    }),
    loudness_lufs: loudnessLufs === 'off' ? null : loudnessLufs,
    limits: {
      max_upload_bytes: maxUploadBytes,
      max_name_length: MAX_NAME_LENGTH,
      max_waveform_buckets: MAX_BUCKETS,
    },
  };
}
