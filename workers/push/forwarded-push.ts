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

export type ForwardedPush = z.infer<typeof forwardedPushSchema>
