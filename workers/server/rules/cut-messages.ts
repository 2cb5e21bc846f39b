import type { ConsumedChange } from '../read-changes.ts'

/** What one message of a Queue holds: changes in the order of their commits. */
export interface ChangesMessage {
  readonly changes: readonly QueuedChange[]
}

/** `isCut`: its values are too long for a message and left out; read the row by its key. */
export type QueuedChange = ConsumedChange & { readonly isCut?: true }

/**
 * A message of a Queue has at most 128 KB, and so far about 100 bytes of its own; a batch at most 100 messages and 256 KB.
 * https://developers.cloudflare.com/queues/platform/limits/
 */
export const QUEUE_LIMITS = { messageBytes: 120_000, batchMessages: 100, batchBytes: 240_000 }

const encoder = new TextEncoder()
const bytesOf = (value: unknown) => encoder.encode(JSON.stringify(value)).length
const WRAPPED_BYTES = bytesOf({ changes: [] })

/** Puts changes into messages, and these into batches, in their order and each within the limits of Queues. */
export function cutMessages(changes: readonly ConsumedChange[], limits = QUEUE_LIMITS): ChangesMessage[][] {
  const batches: { messages: ChangesMessage[]; bytes: number }[] = []
  const close = (message: readonly QueuedChange[], bytes: number) => {
    if (message.length === 0) return
    const last = batches.at(-1)
    const fits = last && last.messages.length < limits.batchMessages && last.bytes + bytes <= limits.batchBytes
    if (fits) {
      last.messages.push({ changes: message })
      last.bytes += bytes
    } else batches.push({ messages: [{ changes: message }], bytes })
  }
  let open: QueuedChange[] = []
  let openBytes = WRAPPED_BYTES
  for (const change of changes) {
    const whole = bytesOf(change) + 1
    const fitting: QueuedChange =
      WRAPPED_BYTES + whole <= limits.messageBytes ? change : { ...change, data: null, before: null, isCut: true }
    const bytes = fitting === change ? whole : bytesOf(fitting) + 1
    if (open.length > 0 && openBytes + bytes > limits.messageBytes) {
      close(open, openBytes)
      open = []
      openBytes = WRAPPED_BYTES
    }
    open.push(fitting)
    openBytes += bytes
  }
  close(open, openBytes)
  return batches.map(({ messages }) => messages)
}
