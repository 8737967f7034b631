import process from 'node:process';
import fc from 'fast-check';

/** Runs of a property when nobody asks for more. */
const RUNS = Number(process.env['FAST_CHECK_RUNS'] ?? 50);

/** Fails with the seed, the path and the smallest counterexample when the property does not hold for some input. */
export async function holds<Inputs>(
  property: fc.IAsyncProperty<Inputs>,
  // A property whose one run is cheap may have more of them.
  times = 1,
): Promise<void> {
  const seed = process.env['FAST_CHECK_SEED'];
  await fc.assert(property, {
    numRuns: Math.ceil(RUNS * times),
    ...(seed !== undefined && { seed: Number(seed) }),
  });
}

/** Text of any characters that UTF-8 can say, with many of those that mean something to somebody. */
export const anyText = (maxLength: number): fc.Arbitrary<string> =>
  fc.oneof(
    fc.string({ unit: 'binary', maxLength }),
    fc.string({ unit: 'grapheme', maxLength }),
    fc.string({
      unit: fc.constantFrom(
        '\r',
        '\n',
        '\r\n',
        '-',
        '--',
        '"',
        '\\',
        '%',
        '_',
        "'",
        ';',
        ' ',
        '\0',
        'a',
        'É',
        'ß',
        '😀',
        '\u0301',
      ),
      maxLength,
    }),
  );
