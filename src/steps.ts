import { channel } from 'node:diagnostics_channel';

/**
 * The places at which a crash leaves something different behind, in the order in which they are passed.
 *
 * An upload: `announced` (its ledger row is committed), `staging-opened`, `block-written` (once a block),
 * `staged-synced`, `inspected`, `published` (renamed, or acknowledged by the store of a bucket), `folder-synced`,
 * `committing`, `committed` (not answered yet). A refused one instead, from wherever it is: `unstaged`, `struck`.
 *
 * A delete: `delete-committed`, `bytes-removed` (their folder is not synced yet), `struck`.
 *
 * Renditions: `renditions-claimed` (the job is held), `renditions-made` (as files beside the store),
 * `renditions-published` (in the store, with their ledger rows), `renditions-committed`.
 *
 * A sweep: `sweep-took` (a batch is its own), `unstaged` or `bytes-removed` for each, `struck` for all.
 */
export type Step =
  | 'announced'
  | 'staging-opened'
  | 'block-written'
  | 'staged-synced'
  | 'inspected'
  | 'published'
  | 'folder-synced'
  | 'committing'
  | 'committed'
  | 'unstaged'
  | 'delete-committed'
  | 'bytes-removed'
  | 'struck'
  | 'renditions-claimed'
  | 'renditions-made'
  | 'renditions-published'
  | 'renditions-committed'
  | 'sweep-took';

const steps = channel('media-prompts:step');

/**
 * Says on the diagnostics channel `media-prompts:step` that a step was passed, at once and in the same turn, so
 * that a listener can stop the process exactly there. Costs one empty call when nobody listens.
 */
export function passed(step: Step): void {
  steps.publish(step);
}
