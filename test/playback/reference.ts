/** What an answer must be, said without the service's own code. */
export interface Expected {
  readonly status: number;
  /** The stretches of the file that the body holds, ends included as HTTP counts; undefined for no body. */
  readonly stretches: readonly (readonly [first: number, last: number])[] | undefined;
}

/** One stretch that a client asks for, as it is meant. */
export type Wish =
  | { readonly kind: 'from-to'; readonly first: number; readonly last: number }
  | { readonly kind: 'from'; readonly first: number }
  | { readonly kind: 'suffix'; readonly length: number };

export function headerOf(wishes: readonly Wish[]): string {
  const specs = wishes.map((wish) => {
    if (wish.kind === 'suffix') return `-${wish.length}`;
    return wish.kind === 'from' ? `${wish.first}-` : `${wish.first}-${wish.last}`;
  });
  return `bytes=${specs.join(',')}`;
}

/** The answer to a GET whose conditions hold. More than ten stretches, or two that share a byte, are not served. */
export function expectedOf(wishes: readonly Wish[], size: number): Expected {
  const whole: Expected = { status: 200, stretches: [[0, size - 1]] };
  if (wishes.length === 0 || wishes.length > 10) return whole;
  if (wishes.some((wish) => wish.kind === 'from-to' && wish.last < wish.first)) return whole;
  const stretches = wishes.flatMap((wish) => {
    const stretch = stretchOf(wish, size);
    return stretch === undefined ? [] : [stretch];
  });
  if (stretches.length === 0) return { status: 416, stretches: undefined };
  const shares = stretches.some(([first, last], i) =>
    stretches.some(([otherFirst, otherLast], j) => i !== j && first <= otherLast && otherFirst <= last),
  );
  return shares ? whole : { status: 206, stretches };
}

function stretchOf(wish: Wish, size: number): readonly [number, number] | undefined {
  if (wish.kind === 'suffix') {
    return wish.length === 0 ? undefined : [size - Math.min(wish.length, size), size - 1];
  }
  if (wish.first > size - 1) return undefined;
  return wish.kind === 'from' ? [wish.first, size - 1] : [wish.first, Math.min(wish.last, size - 1)];
}

export interface BodyPart {
  readonly type: string | undefined;
  readonly range: string | undefined;
  readonly bytes: Buffer;
}

/** Reads multipart/byteranges by the boundaries alone, as RFC 2046 has it. */
export function partsOf(contentType: string, body: Buffer): readonly BodyPart[] {
  const boundary = /^multipart\/byteranges; boundary=([^\s"]{1,70})$/.exec(contentType)?.[1];
  if (boundary === undefined) throw new Error(`not multipart: ${contentType}`);
  const delimiter = Buffer.from(`\r\n--${boundary}`);
  // The first delimiter may stand at the very beginning.
  const text = Buffer.concat([Buffer.from('\r\n'), body]);
  const starts: number[] = [];
  for (let at = text.indexOf(delimiter); at >= 0; at = text.indexOf(delimiter, at + 1)) starts.push(at);
  const last = starts.pop();
  if (last === undefined || text.subarray(last + delimiter.byteLength).toString() !== '--\r\n') {
    throw new Error('the end is missing');
  }
  return starts.map((start, i) => partOf(text.subarray(start + delimiter.byteLength, starts[i + 1] ?? last)));
}

function partOf(section: Buffer): BodyPart {
  const end = section.indexOf('\r\n\r\n');
  const lines = section.subarray(0, end).toString().split('\r\n').slice(1);
  const fields = new Map(
    lines.map((line) => [
      line.slice(0, line.indexOf(':')).toLowerCase(),
      line.slice(line.indexOf(':') + 1).trim(),
    ]),
  );
  return {
    type: fields.get('content-type'),
    range: fields.get('content-range'),
    bytes: section.subarray(end + 4),
  };
}
