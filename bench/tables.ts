import { CLIENT_COLUMN, type Goal, median, type Result, type Row, type Section } from './figures.ts';

const BUSY = 0.8;

/** A suite's tables in Markdown, to be pasted into README.md. */
export function markdown({ sections, ratios, notes }: Result): string {
  const blocks = sections.map(({ title, columns, rows }) => {
    const lines = rows.map(({ name, cells }) => line([name, ...cells.map(spread)]));
    return `${title}\n\n${table(['', ...columns], lines)}`;
  });
  if (ratios.length > 0) blocks.push(ratioTable(ratios));
  const remarks = [...notes, ...clientRemarks(sections)];
  if (remarks.length > 0) blocks.push(remarks.map((note) => `- ${note}`).join('\n'));
  return blocks.join('\n\n');
}

/** Is the median within what was wanted? Undefined where nothing was. */
export function isReached({ goal, ratios }: Row): boolean | undefined {
  if (goal.least === undefined && goal.most === undefined) return undefined;
  const middle = median(ratios);
  return (
    middle >= (goal.least ?? Number.NEGATIVE_INFINITY) && middle <= (goal.most ?? Number.POSITIVE_INFINITY)
  );
}

/** The client has one thread. Where that was busy nearly all the time, it may be what the rate tells of. */
function clientRemarks(sections: readonly Section[]): readonly string[] {
  const shares = sections.flatMap(({ title, columns, rows }) => {
    const column = columns.indexOf(CLIENT_COLUMN);
    return rows.flatMap(({ name, cells }) => {
      const cell = cells[column];
      return column < 0 || !Array.isArray(cell) ? [] : [{ name: `${name} (${title})`, share: median(cell) }];
    });
  });
  if (shares.length === 0) return [];
  const busy = shares.filter(({ share }) => share > BUSY);
  const most = Math.max(...shares.map(({ share }) => share));
  return busy.length === 0
    ? [`The client never took more than ${number(most)} of a core (median), so it limited nobody.`]
    : [
        `The client took nearly a whole core, and may be what limited the rate of: ${busy.map(({ name }) => name).join('; ')}.`,
      ];
}

function ratioTable(rows: readonly Row[]): string {
  const lines = rows.map((row) => {
    const verdict = { true: 'reached', false: 'not reached', undefined: '' }[`${isReached(row)}`];
    const range = `${number(Math.min(...row.ratios))}–${number(Math.max(...row.ratios))}`;
    return line([
      row.goal.id ?? '',
      row.goal.name,
      number(median(row.ratios)),
      range,
      wanted(row.goal),
      verdict,
    ]);
  });
  return table(['', 'figure', 'median', 'min–max', 'goal', ''], lines);
}

function table(head: readonly string[], lines: readonly string[]): string {
  return [line(head), line(head.map(() => '---')), ...lines].join('\n');
}

const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;

function spread(cell: readonly number[] | string): string {
  if (typeof cell === 'string') return cell;
  if (cell.length === 1) return number(median(cell));
  return `${number(median(cell))} (${number(Math.min(...cell))}–${number(Math.max(...cell))})`;
}

/** Three digits that count, and no more than anybody needs of a big number. */
export function number(value: number): string {
  if (Number.isNaN(value)) return '–';
  if (Math.abs(value) >= 100) return value.toFixed(0);
  return value.toFixed(Math.abs(value) >= 10 ? 1 : Math.abs(value) >= 0.1 ? 2 : 3);
}

function wanted({ least, most }: Goal): string {
  if (least !== undefined) return `≥ ${least}`;
  return most === undefined ? '' : `≤ ${most}`;
}
