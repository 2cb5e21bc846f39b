import { z } from 'zod'

/** A push as a Worker hands it to the app's own server: who pushes has been checked, what is pushed has not. */
export const forwardedPushSchema = z.strictObject({
  session: z.strictObject({
    userId: z.string(),
    claims: z.record(z.string(), z.unknown()),
    audiences: z.array(z.string()),
  }),
  /** The request of the replica, as it came: JSON text. */
  body: z.string(),
  /** Whether the Worker has an `onCommitted`, so that calls of it are to be queued. */
  tells: z.boolean(),
})

/** Tells whether a text is a secret for pushes: what a header can carry after `Bearer`, and nobody guesses. */
export const isPushSecret = (text: unknown): boolean => typeof text === 'string' && /^[\x21-\x7e]{32,}$/.test(text)

export type ForwardedPush = z.infer<typeof forwardedPushSchema>
