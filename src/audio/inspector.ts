import { availableParallelism } from 'node:os';
import { type CrewMember, hireCrewMember } from './crew.ts';
import type { Inspection } from './facts.ts';

export type { AudioFacts, Inspection } from './facts.ts';

export interface InspectorOptions {
  /** Files that are read at once; by default 2, or 1 on a single core. */
  readonly workers?: number;
  /** Milliseconds that one file may take once it is being read. */
  readonly deadlineMs?: number;
  /** MiB of heap for each worker. */
  readonly memoryMb?: number;
}

/** Says what files are, by their bytes alone. */
export interface Inspector {
  /**
   * The verdict on one file. Files wait in the order in which they came, and waiting does not count as reading.
   *
   * Whatever the bytes do, also hang or crash their reader, the answer is a verdict. It rejects when the file
   * cannot be opened or read, with the signal's reason when that is aborted, and once the inspector is closed.
   */
  inspect(path: string, signal?: AbortSignal): Promise<Inspection>;
  /** Ends all workers; whoever still waits is rejected. */
  close(): Promise<void>;
}

interface Waiting {
  readonly path: string;
  readonly resolve: (inspection: Promise<Inspection>) => void;
  readonly reject: (reason: unknown) => void;
}

/** Workers start with the first files and stay; one that was lost is replaced when the next file needs it. */
export function createInspector(options: InspectorOptions = {}): Inspector {
  const { workers = Math.min(2, availableParallelism()), deadlineMs = 5000, memoryMb = 96 } = options;
  const queue: Waiting[] = [];
  const idle: CrewMember[] = [];
  const crew = new Set<CrewMember>();
  let isClosed = false;

  function freeMember(): CrewMember | null {
    for (let member = idle.pop(); member !== undefined; member = idle.pop()) {
      if (member.isAlive()) return member;
      crew.delete(member);
    }
    if (crew.size >= workers) return null;
    const hired = hireCrewMember({ deadlineMs, memoryMb });
    crew.add(hired);
    return hired;
  }

  function advance(): void {
    while (queue.length > 0) {
      const member = freeMember();
      const next = member === null ? undefined : queue.shift();
      if (member === null || next === undefined) return;
      next.resolve(inspectBy(member, next.path));
    }
  }

  async function inspectBy(member: CrewMember, path: string): Promise<Inspection> {
    try {
      return await member.inspect(path);
    } finally {
      if (member.isAlive()) idle.push(member);
      else crew.delete(member);
      if (!isClosed) advance();
    }
  }

  return {
    inspect: (path, signal) =>
      new Promise<Inspection>((resolve, reject) => {
        if (isClosed) throw new Error('the inspector is closed');
        signal?.throwIfAborted();
        const leave = () => {
          const place = queue.indexOf(waiting);
          if (place >= 0) queue.splice(place, 1);
          reject(signal?.reason);
        };
        const waiting: Waiting = {
          path,
          reject,
          resolve(inspection) {
            void inspection.then(resolve, reject).finally(() => signal?.removeEventListener('abort', leave));
          },
        };
        signal?.addEventListener('abort', leave, { once: true });
        queue.push(waiting);
        advance();
      }),
    async close() {
      isClosed = true;
      for (const waiting of queue.splice(0)) waiting.reject(new Error('the inspector is closed'));
      await Promise.all([...crew].map((member) => member.dismiss()));
      crew.clear();
    },
  };
}
