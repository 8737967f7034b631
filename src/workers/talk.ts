import { type Notes, PATIENCE, type Questions } from './messages.ts';

type Message =
  | { readonly note: keyof Notes; readonly content: unknown }
  | { readonly question: keyof Questions; readonly id: number; readonly content: unknown }
  | { readonly answerTo: number; readonly isKnown: boolean; readonly content: unknown };

/** What this end does with what it is told and asked; a note that nobody takes is dropped. */
export interface Hearing {
  readonly notes: { readonly [Note in keyof Notes]?: (content: Notes[Note]) => void };
  readonly questions: {
    readonly [Question in keyof Questions]?: (
      asked: Questions[Question]['asked'],
    ) => Promise<Questions[Question]['answer']> | Questions[Question]['answer'];
  };
}

/** One end of the channel between the primary and a worker. */
export interface Talk {
  tell<Note extends keyof Notes>(note: Note, content: Notes[Note]): void;
  /** Rejects when the other end cannot answer, or not in time. */
  ask<Question extends keyof Questions>(
    question: Question,
    asked: Questions[Question]['asked'],
  ): Promise<Questions[Question]['answer']>;
  /** To be called with every message that comes. */
  hear(message: unknown): void;
}

/** Puts notes, questions and answers on a channel that carries messages in order, or not at all once it is cut. */
export function createTalk(send: (message: unknown) => void, hearing: Hearing): Talk {
  const open = new Map<number, PromiseWithResolvers<unknown>>();
  let asked = 0;

  const say = (message: Message) => send(message);

  // The other end is this program in the same version, so that what is said has the type that is written down.
  function hear(message: Message): void {
    if ('note' in message) {
      (hearing.notes[message.note] as ((content: unknown) => void) | undefined)?.(message.content);
    } else if ('question' in message) {
      void answer(message.question, message.id, message.content);
    } else {
      const question = open.get(message.answerTo);
      if (message.isKnown) question?.resolve(message.content);
      else question?.reject(new Error('the other process could not answer'));
    }
  }

  async function answer(question: keyof Questions, id: number, content: unknown): Promise<void> {
    const known = hearing.questions[question] as ((asked: unknown) => unknown) | undefined;
    try {
      if (known === undefined) throw new Error('nobody answers that here');
      say({ answerTo: id, isKnown: true, content: await known(content) });
    } catch {
      say({ answerTo: id, isKnown: false, content: null });
    }
  }

  return {
    tell: (note, content) => say({ note, content }),
    hear: (message) => hear(message as Message),
    async ask(question, content) {
      asked += 1;
      const id = asked;
      const answered = Promise.withResolvers<unknown>();
      const late = setTimeout(() => answered.reject(new Error('no answer came in time')), PATIENCE[question]);
      open.set(id, answered);
      try {
        say({ question, id, content });
        return (await answered.promise) as Questions[typeof question]['answer'];
      } finally {
        clearTimeout(late);
        open.delete(id);
      }
    },
  };
}
