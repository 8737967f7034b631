/** The service when all is opened, in one process or several. */
export interface Running {
  /** The secret that tokens are signed with; undefined when only a public key is known. */
  readonly secret: string | undefined;
  /** Is there no prompt at all? */
  isEmpty(): Promise<boolean>;
  /** Resolves once every process listens, and all addresses are logged, with the one to tell people of. */
  listen(): Promise<string>;
  /** Lets running requests finish for at most `graceMs`, then ends everything. Idempotent. */
  close(graceMs: number): Promise<void>;
  /** Where something can break later on that nobody can mend: rejects when it does, after a graceful end. */
  untilBroken?(): Promise<never>;
}
