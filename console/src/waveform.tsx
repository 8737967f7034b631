import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import WaveSurfer from 'wavesurfer.js';
import { ask, type Waveform as Peaks, Refusal } from './api.ts';
import { words } from './words.ts';

const BUCKETS = 600;
/** px; part of the style that the policy of the page lets in. */
const HEIGHT = 88;
/** Between tries while the recording is not measured yet, ms, and how many. */
const PAUSE = 2_000;
const TRIES = 15;

interface WaveformProps {
  readonly id: number;
  readonly audio: HTMLAudioElement;
  readonly seconds: number;
  readonly isThere: boolean;
}

/** The recording as the service drew it, over what plays it: it may be clicked and dragged to seek. */
export function Waveform({ id, audio, seconds, isThere }: WaveformProps) {
  const box = useRef<HTMLDivElement>(null);
  const isMissing = useSignal(false);
  const length = useRef(seconds);
  length.current = seconds;
  useEffect(() => {
    isMissing.value = !isThere;
    if (!isThere) return undefined;
    const aborter = new AbortController();
    let drawn: WaveSurfer | undefined;
    const darkness = matchMedia('(prefers-color-scheme: dark)');
    const recolour = () => drawn?.setOptions(coloursOf(box.current));
    const draw = ({ peaks, duration_ms }: Peaks) => {
      if (box.current === null || aborter.signal.aborted) return;
      drawn = WaveSurfer.create({
        container: box.current,
        media: audio,
        peaks: [peaks.map(([, most]) => most), peaks.map(([least]) => least)],
        duration: length.current || duration_ms / 1000,
        height: HEIGHT,
        barWidth: 2,
        barGap: 1,
        barRadius: 2,
        dragToSeek: true,
        hideScrollbar: true,
        ...coloursOf(box.current),
      });
    };
    void peaksOf(id, aborter.signal).then(draw, () => {
      isMissing.value = !aborter.signal.aborted;
    });
    darkness.addEventListener('change', recolour, { signal: aborter.signal });
    return () => {
      aborter.abort();
      drawn?.destroy();
    };
  }, [id, audio, isThere]);
  return (
    <>
      <div ref={box} class="waveform" />
      {isMissing.value && <p class="muted no-waveform">{words.player.noWaveform}</p>}
    </>
  );
}

/** The canvas knows no custom properties. */
function coloursOf(box: HTMLElement | null) {
  const style = getComputedStyle(box ?? document.body);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  return { waveColor: colour('--wave'), progressColor: colour('--accent'), cursorColor: colour('--ink') };
}

async function peaksOf(id: number, signal: AbortSignal): Promise<Peaks> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await ask<Peaks>(`/media-prompts/${id}/waveform?buckets=${BUCKETS}`, { signal });
    } catch (error) {
      if (!(error instanceof Refusal) || !error.isPassing || tries >= TRIES) throw error;
      await pause(error.retryAfterMs ?? PAUSE, signal);
    }
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}
