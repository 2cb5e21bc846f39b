import { type Lsn, maxLsn, type SumsAnswer, sumsAnswerSchema, TidemarkError } from '../../protocol/index.ts'
import type { Http } from '../connection/http.ts'
import type { LocalStore } from '../mutations/local-store.ts'
import type { Copy } from '../store/copies.ts'
import type { ReplicaTable } from '../store/replica-table.ts'
import { sumTable } from './local-sums.ts'
import { judgeSums, type TableSums } from './rules/judge-sums.ts'

/** What a comparison with the server found. */
export interface CheckReport {
  /** When it ended, ISO 8601. */
  readonly at: string
  /** Synced rows that were compared. */
  readonly rows: number
  /** Ids of tables whose rows differed from the server's; they are loaded anew. */
  readonly differed: readonly string[]
  /** Ids of tables that changed in each look, so that nothing can be said of them. */
  readonly undecided: readonly string[]
}

export interface CheckHost {
  readonly store: LocalStore
  readonly http: Http
  /** The copy that is shown, while it is whole and nothing of it is on its way to another version. */
  checkable(): Copy | null
  /** Resolves when everything up to there is here, in the history that is held. */
  reach(lsn: Lsn, signal: AbortSignal): Promise<void>
  /** Pauses before the next look, `round` counts from 1. */
  pause(round: number, signal: AbortSignal): Promise<void>
  nowIso(): string
}

/** A table that is said to differ was found so in two looks in a row. */
const ROUNDS = 5

/**
 * Compares the rows that are held with the server's, table by table and audience by audience. Rules CHK-R1 to CHK-R4.
 *
 * Rejects with TidemarkError: `unavailable` where the replica is not whole, or another schema or history came meanwhile, and what
 * the server answers.
 */
export async function compareWithServer(host: CheckHost, signal: AbortSignal): Promise<CheckReport> {
  const first = require(host)
  const decided = new Map<string, 'alike' | 'differs'>()
  let suspects = new Set<string>()
  let rows = 0
  const open = () => [...first.tables.values()].filter(({ id }) => !decided.has(id))
  for (let round = 1; round <= ROUNDS && open().length > 0; round += 1) {
    if (round > 1) await host.pause(round - 1, signal)
    const copy = requireSame(host, first)
    const before = await sumTables(host, copy, open(), signal)
    const answers = await askServer(host, copy, round === 1 ? copy.cursor : null, signal)
    const differing: ReplicaTable[] = []
    for (const table of open()) {
      const sums = serverSums(answers, table.id)
      if (judgeSums(sums, before.get(table.id) ?? NONE, NONE, false) !== 'alike') differing.push(table)
      else {
        decided.set(table.id, 'alike')
        for (const { rows: count } of sums.values()) rows += count
      }
    }
    if (differing.length === 0) break
    await host.reach(
      answers.map(({ fence }) => fence).reduce((last, fence) => maxLsn(last, fence)),
      signal,
    )
    const after = await sumTables(host, requireSame(host, first), differing, signal)
    const now = new Set<string>()
    const isExact = answers.every((answer) => answer.isExact)
    for (const { id } of differing) {
      const sums = serverSums(answers, id)
      const verdict = judgeSums(sums, before.get(id) ?? NONE, after.get(id) ?? NONE, isExact)
      if (verdict === 'differs' && suspects.has(id)) decided.set(id, 'differs')
      else if (verdict === 'differs') now.add(id)
      else if (verdict === 'alike') decided.set(id, 'alike')
      if (decided.has(id)) for (const { rows: count } of sums.values()) rows += count
    }
    suspects = now
  }
  const differed = [...decided].flatMap(([id, verdict]) => (verdict === 'differs' ? [id] : []))
  return { at: host.nowIso(), rows, differed, undecided: open().map(({ id }) => id) }
}

const NONE: TableSums = new Map()

function require(host: CheckHost): Copy {
  const copy = host.checkable()
  if (copy) return copy
  throw new TidemarkError('unavailable', 'Tables are being loaded: check the replica once it has caught up.')
}

function requireSame(host: CheckHost, first: Copy): Copy {
  const copy = require(host)
  const isSame =
    copy.epoch === first.epoch &&
    copy.definition.hash === first.definition.hash &&
    copy.definition.version === first.definition.version &&
    [...copy.joins.keys()].join() === [...first.joins.keys()].join()
  if (isSame) return copy
  throw new TidemarkError('unavailable', 'The schema, the rights or the history changed during the check: check again.')
}

async function sumTables(
  { store }: CheckHost,
  copy: Copy,
  tables: readonly ReplicaTable[],
  signal: AbortSignal,
): Promise<Map<string, TableSums>> {
  const sums = new Map<string, TableSums>()
  for (const table of tables) sums.set(table.id, await sumTable(store, copy, table, signal))
  return sums
}

/** Asks for each audience; `at`: sums that hold everything up to there will do, though they were read for another. */
async function askServer({ http }: CheckHost, copy: Copy, at: Lsn | null, signal: AbortSignal): Promise<SumsAnswer[]> {
  const answers: SumsAnswer[] = []
  for (const audience of copy.joins.keys()) {
    const path = `/sync/sums/${encodeURIComponent(audience)}`
    const parsed = sumsAnswerSchema.safeParse(await http.json(at === null ? path : `${path}?at=${at}`, signal))
    if (!parsed.success)
      throw new TidemarkError('unavailable', 'The answer to /sync/sums is not from a Tidemark server that knows it.', {
        cause: parsed.error,
      })
    const { epoch, definitionVersion, definitionHash } = parsed.data
    if (
      epoch !== copy.epoch ||
      definitionVersion !== copy.definition.version ||
      definitionHash !== copy.definition.hash
    )
      throw new TidemarkError('unavailable', 'The schema or the history is being changed just now: check again.')
    answers.push(parsed.data)
  }
  return answers
}

function serverSums(answers: readonly SumsAnswer[], id: string): TableSums {
  const found = answers.flatMap(({ audience, tables }) => {
    const sum = tables.find(({ table }) => table === id)
    return sum && sum.rows > 0 ? [[audience, { rows: sum.rows, digest: sum.digest }] as const] : []
  })
  return new Map(found)
}
