/** Why the service cannot go on; the message is for the operator. */
export class WorkerError extends Error {
  override readonly name = 'WorkerError';
}
