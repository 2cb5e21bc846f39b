import * as z from 'zod/mini'
import { LONGEST_PAUSE_MINUTES } from '../pause-limits.ts'

/** A name for the log: who logged in says it, nothing checks it. */
const nameSchema = z.string().check(z.regex(/^[\p{L}\p{N} ._@+-]{1,60}$/u))

/** What `POST /ops/login` takes. */
export const loginSchema = z.strictObject({
  token: z.string().check(z.minLength(1), z.maxLength(1_000)),
  name: z.optional(nameSchema),
})

const common = {
  id: z.optional(z.string().check(z.regex(/^[\w-]{8,64}$/))),
  /** For scripts; who logged in to the page has a name already. */
  by: z.optional(nameSchema),
}
const client = z.string().check(z.regex(/^[A-Za-z0-9_-]{16,64}$/))
/** The SyncDO that serves the client; without it the one that saw it last. */
const object = z.optional(z.nullable(z.string().check(z.minLength(1), z.maxLength(512))))

/** What `POST /ops/actions` takes. */
export const actionSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    ...common,
    kind: z.literal('pause-capture'),
    minutes: z._default(z.int().check(z.minimum(1), z.maximum(LONGEST_PAUSE_MINUTES)), 60),
  }),
  z.strictObject({ ...common, kind: z.literal('resume-capture') }),
  z.strictObject({ ...common, kind: z.literal('rebuild-slot') }),
  z.strictObject({
    ...common,
    kind: z.literal('drop-snapshot'),
    audience: z.string().check(z.minLength(1), z.maxLength(512)),
  }),
  z.strictObject({ ...common, kind: z.literal('rehydrate-client'), client, object }),
  z.strictObject({ ...common, kind: z.literal('disconnect-client'), client, object }),
])
