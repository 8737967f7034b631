/** One file that ffmpeg may read, and the one way in which it may read it. */
export interface ConverterInput {
  /** Its name in the task's folder. */
  readonly file: string;
  /** The only demuxer that may touch it, such as `wav`: what else the bytes may claim to be does not count. */
  readonly demuxer: string;
  /** For demuxers of bare samples, such as `-ar 8000`. */
  readonly options?: readonly string[];
}

/** One run of ffmpeg. */
export interface ConverterTask {
  /** Private to the task, of mode 0700. */
  readonly folder: string;
  readonly inputs: readonly ConverterInput[];
  /** What follows the inputs: filters, encoders, and the outputs as `file:<name>`, relative to the folder. */
  readonly args: readonly string[];
  /** The names of the files that it writes; they are removed when it fails. */
  readonly outputs: readonly string[];
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** An ffmpeg that can be given hostile files. */
export interface Converter {
  readonly kind: 'ffmpeg' | 'wasm';
  /** For people, such as "ffmpeg 5.1.9". */
  readonly version: string;
  /**
   * Runs ffmpeg once. Of what it said, `stderr` has the last 64 KiB. Rejects with a ConversionError, and then nothing
   * runs any more and no output is left. It reads no file but the inputs, and reaches no network.
   */
  run(task: ConverterTask): Promise<{ readonly stderr: string }>;
  /** Ends what runs, whose callers are rejected; later tasks are rejected too. */
  close(): Promise<void>;
}

/** `unusable-audio`: the file's fault and final. `failed`: ours or the machine's; it may be tried again. */
export type ConversionErrorCode = 'unusable-audio' | 'failed';

/** Its message is one sentence for a person, without a path or a word of ffmpeg's. */
export class ConversionError extends Error {
  override readonly name = 'ConversionError';
  readonly code: ConversionErrorCode;

  constructor(code: ConversionErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
