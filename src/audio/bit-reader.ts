export type BitReader = ReturnType<typeof readBits>;

/** Reads big-endian bit fields, most significant bit first; past the end come zeros. */
export function readBits(bytes: Uint8Array) {
  let position = 0;
  function take(count: number): number {
    let value = 0;
    for (let i = 0; i < count; i++, position++) {
      value = value * 2 + (((bytes[position >> 3] ?? 0) >> (7 - (position & 7))) & 1);
    }
    return value;
  }
  return {
    take,
    skip(count: number): void {
      position += count;
    },
    left: () => bytes.length * 8 - position,
  };
}
