import type { Operation } from './operation.ts'

/** One operation that somebody did through a replica. */
export interface Made {
  readonly writer: number
  readonly operation: Operation
  /** `unknown`: its process was killed before it answered. */
  outcome: { readonly id: string | null } | 'refused' | 'unknown'
}

/** One operation that somebody did in Postgres itself. */
export interface Direct {
  readonly token: string
  readonly operation: Operation
  /** Null where the connection broke and nobody knows. */
  committed: boolean | null
}

/** Everything that is there at the end. */
export interface WritingEvidence {
  /** Rows of each token in Postgres. */
  readonly entries: ReadonlyMap<string, number>
  /** Tokens that the tallies list, each as often as it is listed. */
  readonly logged: readonly string[]
  /** For each writer, the status of each mutation. */
  readonly statuses: readonly ReadonlyMap<string, string>[]
  readonly names: readonly string[]
  /** True where the effect of the token's mutation may be gone again. */
  readonly wasUndone: (token: string) => boolean
  /** The id under which a failed mutation was made anew; null where nothing was left to write. */
  readonly retries: ReadonlyMap<string, string | null>
  /** True where its process was killed before it could report the mutations that it had made anew. */
  readonly lostRetries: (writer: number) => boolean
  /** True where its database was lost, and with it the list of mutations confirmed until then. */
  readonly lostDatabase: (writer: number) => boolean
}

/** Reports each mutation that was confirmed and is not in Postgres once, that failed and is there, or that vanished. */
export function account(
  made: readonly Made[],
  direct: readonly Direct[],
  evidence: WritingEvidence,
): { readonly violations: readonly string[]; readonly confirmed: number; readonly failed: number } {
  const violations: string[] = []
  const ended = { confirmed: 0, failed: 0 }
  for (const { writer, operation, outcome } of made) {
    const { token, kind } = operation
    if (token === null) continue
    const found = evidence.entries.get(token) ?? 0
    const inLog = evidence.logged.filter((word) => word === token).length
    const what = `${evidence.names[writer]}’s ${kind} ${token}`
    if (kind === 'add' && inLog !== found) violations.push(`${what} stands in the log ${inLog} times.`)
    if (found > 1) violations.push(`${what} is in Postgres ${found} times.`)
    if (outcome === 'unknown') continue
    if (outcome === 'refused') {
      if (found > 0) violations.push(`${what} was refused by the replica and is in Postgres.`)
      continue
    }
    const id = lastOf(evidence.retries, outcome.id)
    if (id === null && outcome.id !== null) continue
    const listed = id === null ? undefined : evidence.statuses[writer]?.get(id)
    // A lost database forgets confirmed mutations only, so one that is not listed must be in Postgres like these.
    const status = listed ?? (id !== null && evidence.lostDatabase(writer) ? 'confirmed' : undefined)
    if (status === undefined && evidence.lostRetries(writer)) continue
    if (status !== 'confirmed' && status !== 'failed') {
      violations.push(`${what} (${id}) is ${status}.`)
      continue
    }
    ended[status] += 1
    if (status === 'confirmed' && found !== 1 && !evidence.wasUndone(token))
      violations.push(`${what} is confirmed and not in Postgres.`)
    if (status === 'failed' && found > 0) violations.push(`${what} failed and is in Postgres.`)
  }
  for (const { token, operation, committed } of direct) {
    if (operation.kind !== 'add' || committed === null) continue
    const times = evidence.logged.filter((word) => word === token).length
    if (times !== (committed ? 1 : 0)) violations.push(`Direct ${token} stands in the log ${times} times.`)
  }
  return { violations, ...ended }
}

/** Answers the id that a mutation has now, after all retries; null where it needs none. */
function lastOf(retries: ReadonlyMap<string, string | null>, id: string | null): string | null {
  const again = id === null ? undefined : retries.get(id)
  return again === undefined ? id : lastOf(retries, again)
}
