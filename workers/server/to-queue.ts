import type { ConsumedChange } from './read-changes.ts'
import { type ChangesMessage, cutMessages } from './rules/cut-messages.ts'

/** The part of a Queue's producer that is used here; a binding `Queue` satisfies it. */
export interface ChangesQueue {
  sendBatch(messages: Iterable<{ readonly body: ChangesMessage; readonly contentType: 'json' }>): Promise<unknown>
}

/**
 * Makes a `handle` of `consumeChanges` that sends changes to a Cloudflare Queue, in batches within its limits: the cursor moves once
 * all are sent.
 */
export function toQueue(queue: ChangesQueue): (changes: readonly ConsumedChange[]) => Promise<void> {
  return async (changes) => {
    for (const batch of cutMessages(changes))
      await queue.sendBatch(batch.map((body) => ({ body, contentType: 'json' as const })))
  }
}
