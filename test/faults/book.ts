import { createHash } from 'node:crypto';
import { type Answer, parse } from './http.ts';

/**
 * What must be true of an upload, by what was answered: `there` and whole, `gone` without a trace, or `either`
 * because no answer came or it said that nobody knows; but whole if it is there.
 */
export type Fate = 'there' | 'gone' | 'either';

export type Dialect = 'v3' | 'v1';

export interface Entry {
  /** Unique in the book, and the prompt's name. */
  readonly name: string;
  readonly dialect: Dialect;
  readonly sha256: string;
  readonly fate: Fate;
  /** Under which the dialect knows it, once it answered. */
  readonly id: string | undefined;
}

export type Book = ReturnType<typeof createBook>;

/** Keeps what was asked and what was answered. Never forgets. */
export function createBook() {
  const entries = new Map<string, Entry>();
  const fresh = new Set<string>();
  const contradictions: string[] = [];
  const counts: Record<string, number> = {};

  const note = (name: string, change: Partial<Entry>) => {
    const entry = entries.get(name);
    if (entry === undefined) throw new Error(`${name} is not in the book`);
    entries.set(name, { ...entry, ...change });
    fresh.add(name);
  };
  const count = (what: string, answer: Answer | undefined) => {
    const key = `${what} ${answer?.status ?? 'unanswered'}`;
    counts[key] = (counts[key] ?? 0) + 1;
  };

  return {
    entries,
    /** How often each thing was asked, by its answer. */
    counts,
    /** What was answered although earlier answers forbid it. */
    contradictions,
    get: (name: string): Entry | undefined => entries.get(name),

    /** To be called before the first byte is sent. */
    uploading(name: string, dialect: Dialect, content: Buffer): void {
      const sha256 = createHash('sha256').update(content).digest('hex');
      entries.set(name, { name, dialect, sha256, fate: 'either', id: undefined });
      fresh.add(name);
    },
    uploaded(name: string, answer: Answer | undefined, isGood = true): void {
      count(isGood ? 'upload' : 'bad upload', answer);
      if (isGood && answer?.status === 400) {
        contradictions.push(`${name} was good and was refused: ${answer.body.toString('utf8')}`);
      }
      if (answer?.status === 201) note(name, { fate: 'there', id: idIn(answer) });
      // A refusal is a promise as well; so is 507, which says that nothing was stored.
      else if (answer !== undefined && (answer.status < 500 || answer.status === 507)) {
        note(name, { fate: 'gone' });
      }
    },
    /** An upload that was broken off before its end can never have been taken. */
    cutOff(name: string): void {
      count('cut upload', undefined);
      note(name, { fate: 'gone' });
    },
    deleting(name: string): void {
      note(name, { fate: 'either' });
    },
    deleted(name: string, before: Fate, answer: Answer | undefined): void {
      count('delete', answer);
      if (answer === undefined || answer.status >= 500) return;
      if (answer.status === 200 || answer.status === 204) note(name, { fate: 'gone' });
      else if (answer.status === 404) {
        if (before === 'there') contradictions.push(`${name} was acknowledged, and its delete is a 404`);
        note(name, { fate: 'gone' });
      } else note(name, { fate: before });
    },
    count,
    /** The entries that something was noted of since this was last called. */
    takeFresh(): Entry[] {
      const taken = [...fresh].flatMap((name) => entries.get(name) ?? []);
      fresh.clear();
      return taken;
    },
  };
}

function idIn(answer: Answer): string {
  const body = parse(answer.body);
  const data = body['data'];
  const id = typeof data === 'object' && data !== null ? Reflect.get(data, 'media_prompt_id') : body['id'];
  return String(id);
}
