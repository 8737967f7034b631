import { type BitReader, readBits } from './bit-reader.ts';

/** ISO/IEC 14496-3 table 1.18, in Hz by samplingFrequencyIndex. */
export const SAMPLE_RATES: readonly number[] = [
  96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8000, 7350,
];
/** ISO/IEC 14496-3 table 1.19; 0 leaves it to a program config element. */
const CHANNELS: readonly number[] = [0, 1, 2, 3, 4, 5, 6, 8, 0, 0, 0, 7, 8, 24, 8];

const ESCAPE_OBJECT_TYPE = 31;
const ESCAPE_RATE_INDEX = 15;
const SPECTRAL_BAND_REPLICATION = 5;
const PARAMETRIC_STEREO = 29;
const ERROR_RESILIENT_BSAC = 22;
const SCALABLE_OBJECT_TYPES = new Set([6, 20]);
/** Object types whose configuration is a GASpecificConfig. */
const GENERAL_AUDIO = new Set([1, 2, 3, 4, 6, 7, 17, 19, 20, 21, 22, 23]);
const MPEG_LAYER_3 = 34;
const LOSSLESS = 36;
const SBR_SYNC = 0x2b7;
const PS_SYNC = 0x548;

export interface AacConfig {
  readonly codec: 'aac' | 'mp3' | 'mp4als';
  /** Hz of what the decoder puts out: twice the core's when spectral band replication is signalled. */
  readonly sampleRate: number;
  readonly channels: number;
}

/** Channels by channelConfiguration; 0 when a program config element must tell. */
export function channelsOfConfig(configuration: number): number {
  return CHANNELS[configuration] ?? 0;
}

/** AudioSpecificConfig (ISO/IEC 14496-3 1.6.2.1), with explicit and backward compatible signalling of SBR and PS. */
export function readAacConfig(bytes: Uint8Array): AacConfig {
  const bits = readBits(bytes);
  let objectType = readObjectType(bits);
  let sampleRate = readSampleRate(bits);
  const configuration = bits.take(4);
  const isExplicit = objectType === SPECTRAL_BAND_REPLICATION || objectType === PARAMETRIC_STEREO;
  let isParametric = objectType === PARAMETRIC_STEREO;
  if (isExplicit) {
    sampleRate = readSampleRate(bits);
    objectType = readObjectType(bits);
    if (objectType === ERROR_RESILIENT_BSAC) bits.skip(4);
  }
  let channels = channelsOfConfig(configuration);
  if (GENERAL_AUDIO.has(objectType)) {
    const programChannels = skipGeneralAudioConfig(bits, objectType, configuration);
    channels = channels || programChannels;
  }
  const extension = isExplicit ? null : readSyncExtension(bits);
  if (extension !== null) {
    sampleRate = extension.sampleRate;
    isParametric = extension.isParametric;
  }
  if (isParametric && channels === 1) channels = 2;
  return { codec: codecOf(objectType), sampleRate, channels };
}

function codecOf(objectType: number): AacConfig['codec'] {
  if (objectType === MPEG_LAYER_3) return 'mp3';
  return objectType === LOSSLESS ? 'mp4als' : 'aac';
}

function readObjectType(bits: BitReader): number {
  const type = bits.take(5);
  return type === ESCAPE_OBJECT_TYPE ? 32 + bits.take(6) : type;
}

function readSampleRate(bits: BitReader): number {
  const index = bits.take(4);
  return index === ESCAPE_RATE_INDEX ? bits.take(24) : (SAMPLE_RATES[index] ?? 0);
}

/** Passes over a GASpecificConfig (14496-3 4.4.1); the channels of its program config element, or 0. */
function skipGeneralAudioConfig(bits: BitReader, objectType: number, configuration: number): number {
  bits.skip(1);
  if (bits.take(1) === 1) bits.skip(14);
  const hasExtension = bits.take(1) === 1;
  const channels = configuration === 0 ? readProgramConfigChannels(bits) : 0;
  if (SCALABLE_OBJECT_TYPES.has(objectType)) bits.skip(3);
  if (hasExtension) {
    if (objectType === ERROR_RESILIENT_BSAC) bits.skip(16);
    if ([17, 19, 20, 23].includes(objectType)) bits.skip(3);
    bits.skip(1);
  }
  return channels;
}

function readSyncExtension(bits: BitReader): { sampleRate: number; isParametric: boolean } | null {
  if (bits.left() < 16 || bits.take(11) !== SBR_SYNC) return null;
  if (readObjectType(bits) !== SPECTRAL_BAND_REPLICATION || bits.take(1) === 0) return null;
  const sampleRate = readSampleRate(bits);
  const isParametric = bits.left() >= 12 && bits.take(11) === PS_SYNC && bits.take(1) === 1;
  return { sampleRate, isParametric };
}

/** Channels of a program_config_element (ISO/IEC 14496-3 4.4.1.1), read up to its end but for the comment. */
export function readProgramConfigChannels(bits: BitReader): number {
  bits.skip(4 + 2 + 4);
  const fronts = bits.take(4);
  const sides = bits.take(4);
  const backs = bits.take(4);
  const lowFrequency = bits.take(2);
  const associatedData = bits.take(3);
  const coupling = bits.take(4);
  for (const width of [4, 4, 3]) {
    if (bits.take(1) === 1) bits.skip(width);
  }
  let channels = lowFrequency;
  for (let element = 0; element < fronts + sides + backs; element++) {
    channels += bits.take(1) + 1;
    bits.skip(4);
  }
  bits.skip(lowFrequency * 4 + associatedData * 4 + coupling * 5);
  if (bits.left() > 0) bits.skip(bits.left() % 8);
  bits.skip(bits.take(8) * 8);
  return channels;
}
