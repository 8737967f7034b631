/** The level of a piece of sound, in decibels below a sine of full scale. */
export function levelDb(samples: Int16Array): number {
  let energy = 0;
  for (const sample of samples) energy += (sample / 32_768) ** 2;
  return 10 * Math.log10((2 * energy) / samples.length + 1e-20);
}

/**
 * The level of each tone of an even spectrum, in decibels below a sine of full scale: of `size` samples, a power of
 * two, through a window whose side lobes are 92 dB down.
 */
export function spectrumDb(samples: Int16Array, size: number): Float64Array {
  const real = new Float64Array(size);
  const imaginary = new Float64Array(size);
  for (let i = 0; i < size; i += 1) {
    const phase = (2 * Math.PI * i) / size;
    const window =
      0.35875 - 0.48829 * Math.cos(phase) + 0.14128 * Math.cos(2 * phase) - 0.01168 * Math.cos(3 * phase);
    real[i] = ((samples[i] ?? 0) / 32_768) * window;
  }
  transform(real, imaginary);
  const scale = 2 / (size * 0.35875);
  return Float64Array.from({ length: size / 2 }, (_, bin) => {
    const power = ((real[bin] ?? 0) ** 2 + (imaginary[bin] ?? 0) ** 2) * scale ** 2;
    return 10 * Math.log10(power + 1e-20);
  });
}

/** The fast Fourier transform, in place: even and odd samples apart, then put together. */
function transform(real: Float64Array, imaginary: Float64Array): void {
  const size = real.length;
  if (size === 1) return;
  const half = size / 2;
  const part = (from: Float64Array, odd: 0 | 1) =>
    Float64Array.from({ length: half }, (_, i) => from[2 * i + odd] ?? 0);
  const [evenR, evenI, oddR, oddI] = [part(real, 0), part(imaginary, 0), part(real, 1), part(imaginary, 1)];
  transform(evenR, evenI);
  transform(oddR, oddI);
  for (let k = 0; k < half; k += 1) {
    const [c, s] = [Math.cos((-2 * Math.PI * k) / size), Math.sin((-2 * Math.PI * k) / size)];
    const r = c * (oddR[k] ?? 0) - s * (oddI[k] ?? 0);
    const i = c * (oddI[k] ?? 0) + s * (oddR[k] ?? 0);
    real[k] = (evenR[k] ?? 0) + r;
    imaginary[k] = (evenI[k] ?? 0) + i;
    real[k + half] = (evenR[k] ?? 0) - r;
    imaginary[k + half] = (evenI[k] ?? 0) - i;
  }
}
