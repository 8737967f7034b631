/** Which port each worker is told to listen on. */
export interface PortChoice {
  /** To be asked at the last moment before the worker, of this number, listens. */
  tell(worker: number): number;
  /** It listens. Whether it does so where the service was found at first; if not it must end, and another one come. */
  isRight(worker: number, address: string): boolean;
  /** It listens no more. */
  leave(worker: number): void;
}

/**
 * The configured port; for 0 any, and from then on the one that was found. Workers share a socket when they ask for
 * it in the same words: as long as one listens, the next is told what that one was told, and only when nobody
 * listens, so that the socket is closed, the port by its number.
 */
export function createPortChoice(configured: number): PortChoice {
  const told = new Map<number, number>();
  const listening = new Set<number>();
  let found: number | undefined;
  return {
    tell(worker) {
      const [other] = listening;
      const port = (other === undefined ? found : told.get(other)) ?? configured;
      told.set(worker, port);
      return port;
    },
    isRight(worker, address) {
      if (configured !== 0) return true;
      const port = Number(new URL(address).port);
      found ??= port;
      if (port !== found) return false;
      listening.add(worker);
      return true;
    },
    leave: (worker) => void listening.delete(worker),
  };
}
