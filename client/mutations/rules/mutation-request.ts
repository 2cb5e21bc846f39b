import {
  LIMITS,
  type PatchRow,
  type PredictedChange,
  type PushedMutation,
  predictedByPatch,
  type Rejection,
} from '../../../protocol/index.ts'

/** A mutation that was never attempted, with its effect. */
export type Unsent = {
  readonly counter: number
  readonly at: string
  /** The version of the definition in whose names it is said. */
  readonly version: number
  readonly after: readonly number[]
} & (
  | { readonly kind: 'patch'; readonly rows: readonly PatchRow[] }
  | {
      readonly kind: 'action'
      readonly name: string
      readonly args: unknown
      /** The keys that it took by itself, by sequence; null where it took none. */
      readonly keys: Readonly<Record<string, readonly string[]>> | null
      readonly predicted: readonly PredictedChange[]
    }
)

/** The text sent and kept from the first attempt on; `predicted` is null where its rows must come back whole. */
export type Request =
  | { readonly text: string; readonly predicted: readonly PredictedChange[] | null }
  | { readonly tooLarge: Rejection }

/** Writes a mutation as JSON. Rule OBX-R11. */
export function mutationRequest(mutation: Unsent): Request {
  const { counter, at, version, kind } = mutation
  const after = [...mutation.after]
  if (after.length > LIMITS.mutationDependencies) return tooLarge('builds on too many others that are not settled')
  if (kind === 'patch') {
    const rows = [...mutation.rows]
    if (rows.length > LIMITS.mutationRows) return tooLarge('writes too many rows')
    const text = textOf({ counter, at, version, after, kind, rows })
    return text === null ? tooLarge('is too large') : { text, predicted: predictedByPatch(rows) }
  }
  const { name, predicted } = mutation
  // The arguments were JSON when the action was called, which the schema's type does not say.
  const args = mutation.args as Extract<PushedMutation, { kind: 'action' }>['args']
  const taken: Record<string, string[]> = {}
  for (const [sequence, its] of Object.entries(mutation.keys ?? {})) taken[sequence] = [...its]
  const keys = mutation.keys ? { keys: taken } : {}
  const whole =
    predicted.length > LIMITS.mutationRows
      ? null
      : textOf({ counter, at, version, after, kind, name, args, predicted: [...predicted], ...keys })
  if (whole !== null) return { text: whole, predicted }
  const text = textOf({ counter, at, version, after, kind, name, args, predicted: null, ...keys })
  return text === null ? tooLarge('is too large') : { text, predicted: null }
}

function textOf(mutation: PushedMutation): string | null {
  const text = JSON.stringify(mutation)
  return text.length > LIMITS.mutationChars ? null : text
}

const tooLarge = (what: string): Request => ({
  tooLarge: { kind: 'limit-exceeded', message: `The mutation ${what}: write in several transactions.` },
})
