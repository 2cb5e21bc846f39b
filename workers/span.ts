import * as runtime from 'cloudflare:workers'
import type { NoteSpan, SpanName } from './span-name.ts'

const { tracing } = runtime as Partial<typeof runtime>

/**
 * Runs work in a span of the runtime's own traces, which nests under the request or alarm that it belongs to. Where
 * traces are off, or the runtime has none, the work just runs. Rule OPS-R17.
 */
export function inSpan<Result>(name: SpanName, run: (note: NoteSpan) => Promise<Result>): Promise<Result> {
  if (tracing === undefined) return run(() => {})
  return tracing.enterSpan(name, (span) =>
    run((attributes) => {
      for (const [key, value] of Object.entries(attributes))
        if (value !== null) span.setAttribute(`tidemark.${key}`, value)
    }),
  )
}
