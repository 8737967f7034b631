import type { BlobStore } from '../blobs/blob-store.ts';
import type { Database } from '../catalogue/database.ts';
import { ADVICE, type Finding, type FindingKind, isFault } from '../library/findings.ts';
import { noProgress, type Progress, type Repairs, repair, verify } from '../library/verify.ts';
import { type Console, showProgress } from './console.ts';

/** What the operator asks of `verify`. */
export interface VerifyRequest {
  readonly deep: boolean;
  readonly repair: boolean;
  readonly json: boolean;
  /** Undefined: only where stderr is a terminal. */
  readonly progress: boolean | undefined;
}

/** What verify found, in figures: the last line of its report in JSON. */
interface Summary extends Progress {
  readonly deep: boolean;
  readonly faults: number;
  readonly notes: number;
  readonly repaired: Repairs;
  readonly seconds: number;
}

/** Verifies, and prints the report. @returns whether nothing is at fault */
export async function runVerify(
  db: Database,
  blobs: BlobStore,
  request: VerifyRequest & { readonly leaseMs: number },
  console: Console,
): Promise<boolean> {
  const began = performance.now();
  const repaired = request.repair ? await repair(db, blobs, request.leaseMs, request.deep) : NOTHING_REPAIRED;
  const progress = noProgress();
  const counts = new Map<FindingKind, number>();
  const bar = showProgress(console, request.progress, () => line(progress, request.deep));
  let faults = 0;
  let notes = 0;
  try {
    for await (const finding of verify(db, blobs, { deep: request.deep, progress })) {
      if (isFault(finding)) faults += 1;
      else notes += 1;
      counts.set(finding.kind, (counts.get(finding.kind) ?? 0) + 1);
      bar.clear();
      console.print(request.json ? asJson(finding) : asText(finding));
    }
  } finally {
    bar.end();
  }
  const seconds = Math.round(performance.now() - began) / 1000;
  const summary = { ...progress, deep: request.deep, faults, notes, repaired, seconds };
  if (request.json) console.print(summaryAsJson(summary));
  else for (const text of summaryAsText(summary, [...counts.keys()])) console.print(text);
  return faults === 0;
}

const NOTHING_REPAIRED: Repairs = { swept: 0, recounted: 0, forgotten: 0 };

const line = ({ recordings, renditions, bytesRead, ledgerRows, files }: Progress, deep: boolean): string =>
  [
    `${recordings} recordings`,
    ...(renditions > 0 ? [`${renditions} renditions`] : []),
    ...(deep ? [`${Math.round(bytesRead / 1_048_576)} MiB read`] : []),
    ...(ledgerRows > 0 ? [`${ledgerRows} ledger rows`] : []),
    ...(files > 0 ? [`${files} files`] : []),
  ].join(', ');

function asText(finding: Finding): string {
  const { kind, subject, detail, promptId } = finding;
  return [kind, subject, detail, ...(promptId === undefined ? [] : [`prompt ${promptId}`])].join('\t');
}

function asJson(finding: Finding): string {
  const { kind, subject, detail, promptId } = finding;
  return JSON.stringify({
    kind,
    fault: isFault(finding),
    subject,
    detail,
    media_prompt_id: promptId ?? null,
    advice: ADVICE[kind],
  });
}

function summaryAsJson(summary: Summary): string {
  const { recordings, renditions, bytesRead, ledgerRows, files, deep, faults, notes, repaired, seconds } =
    summary;
  return JSON.stringify({
    kind: 'summary',
    deep,
    recordings,
    renditions,
    bytes_read: bytesRead,
    ledger_rows: ledgerRows,
    files,
    faults,
    notes,
    repaired,
    seconds,
  });
}

function summaryAsText(summary: Summary, kinds: readonly FindingKind[]): readonly string[] {
  const { repaired, faults, notes, deep, seconds } = summary;
  const mended = [
    ...(repaired.swept > 0 ? [`Abandoned or deleted files removed: ${repaired.swept}.`] : []),
    ...(repaired.forgotten > 0 ? [`Renditions to be made again: ${repaired.forgotten}.`] : []),
    ...(repaired.recounted > 0 ? [`Counters counted again: ${repaired.recounted}.`] : []),
  ];
  const looked = `Looked at ${line(summary, deep)} in ${seconds} s.`;
  const verdict = faults === 0 ? 'Every prompt has its bytes.' : `Faults found: ${faults}.`;
  const noted = notes === 0 ? [] : [`To know of, but no faults: ${notes}.`];
  return [...mended, looked, verdict, ...noted, ...kinds.map((kind) => `${kind}: ${ADVICE[kind]}`)];
}
