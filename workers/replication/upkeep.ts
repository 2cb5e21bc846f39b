import { sampleStrays } from '../../db/definition/find-strays.ts'
import type { Sync } from '../../db/index.ts'
import { type TableDefinition, toTidemarkError } from '../../protocol/index.ts'
import type { HealthCheck } from '../contracts.ts'
import { type Database, withDatabase } from '../database/index.ts'
import type { DatabaseEnv, SyncEnv } from '../env.ts'
import { bundleHash } from './bundle-hash.ts'
import type { CaptureTally } from './capture-tally.ts'
import { HistoryArchive } from './history-archive.ts'
import { pruneHistory } from './retention.ts'
import type { OwnIdentity } from './rules/epoch-decision.ts'
import type { ClientGroup, ServerFigures } from './rules/health-figures.ts'
import { check } from './rules/one-check.ts'
import { forgetGoneClients, readFigures } from './server-facts.ts'

const FIGURES_EVERY_MS = 10_000
/** Clients are gone through one by one, in the statement of every so many figures. */
const CLIENTS_EVERY_MS = 60_000
const PRUNE_EVERY_MS = 60 * 60_000
/** After a failure: history is not in a hurry. */
const PRUNE_AGAIN_MS = 5 * 60_000
const COMPARE_EVERY_MS = 60 * 60_000
const FORGET_EVERY_MS = 60 * 60_000

export interface UpkeepContext {
  readonly env: DatabaseEnv & Pick<SyncEnv, 'ARCHIVE'>
  readonly own: OwnIdentity
  readonly sync: Sync | null
  readonly retentionMs: number | null
  readonly nowMs: () => number
  readonly tally: CaptureTally
}

interface Figures {
  readonly server: ServerFigures
  /** The hash of the definition that this bundle would put in force; null where it has none. */
  readonly bundleHash: string | null
  readonly atMs: number
}

/** The work of a run besides capturing, now and then: it reads what health tells, prunes history, and forgets clients that are gone. */
export class Upkeep {
  readonly #context: UpkeepContext
  #figures: Figures | null = null
  #clients: readonly ClientGroup[] = []
  #clientsAtMs = 0
  #pruneAtMs = 0
  #retentionFault: string | null = null
  #archive: HistoryArchive | null = null
  /** The pruning in hand. */
  pruning: Promise<void> | null = null
  #comparedAtMs = 0
  #forgotAtMs = 0
  #strays: readonly string[] = []

  constructor(context: UpkeepContext) {
    this.#context = context
  }

  /** The figures read last. */
  get figures(): Figures | null {
    return this.#figures
  }

  /** The clients as they were gone through last. */
  get clients(): readonly ClientGroup[] {
    return this.#clients
  }

  async readFigures(database: Database): Promise<void> {
    const { own, sync, nowMs, tally } = this.#context
    const known = this.#figures
    if (known !== null && nowMs() - known.atMs < FIGURES_EVERY_MS) return
    const withClients = nowMs() - this.#clientsAtMs >= CLIENTS_EVERY_MS
    const { clients, ...server } = await readFigures(database.query, own.slotName, nowMs, withClients)
    if (clients !== null) {
      this.#clients = clients
      this.#clientsAtMs = nowMs()
    }
    tally.noteServer(server)
    const unchanged = known !== null && known.server.definitionHash === server.definitionHash
    const hash = unchanged ? known.bundleHash : sync && (await bundleHash(database.query, sync))
    this.#figures = { server, bundleHash: hash, atMs: nowMs() }
  }

  /** The tables in which rows were found last whose audience is not their parent's. */
  get strays(): readonly string[] {
    return this.#strays
  }

  /** Compares some rows with their parents: what wrote them may have got past our triggers. */
  async compareAudiences(database: Database, tables: readonly TableDefinition[]): Promise<void> {
    const { nowMs } = this.#context
    if (nowMs() - this.#comparedAtMs < COMPARE_EVERY_MS) return
    this.#comparedAtMs = nowMs()
    try {
      this.#strays = await sampleStrays(database.query, tables)
    } catch (error) {
      // What this role may not read, doctor compares; capture goes on.
      if (!database.usable) throw error
    }
  }

  /** Forgets clients that are gone: each replica that ever was would have a row otherwise. */
  async forgetClients(database: Database): Promise<void> {
    const { nowMs } = this.#context
    if (nowMs() - this.#forgotAtMs < FORGET_EVERY_MS) return
    this.#forgotAtMs = nowMs()
    await forgetGoneClients(database.query)
  }

  /** Prunes what is due, over a connection of its own and beside capture, which does not wait for it. */
  prune(): void {
    const { retentionMs, nowMs } = this.#context
    if (retentionMs === null || this.pruning !== null || nowMs() < this.#pruneAtMs) return
    this.pruning = this.#prune(retentionMs).finally(() => {
      this.pruning = null
    })
  }

  async #prune(retentionMs: number): Promise<void> {
    const { env, nowMs } = this.#context
    const limit = new Date(nowMs() - retentionMs).toISOString()
    try {
      this.#archive ??= env.ARCHIVE ? new HistoryArchive(env.ARCHIVE) : null
      const more = await withDatabase(env, (database) => pruneHistory(database, limit, this.#archive), {
        applicationName: 'tidemark retention',
      })
      this.#retentionFault = null
      this.#pruneAtMs = more ? 0 : nowMs() + PRUNE_EVERY_MS
    } catch (error) {
      const { kind, message } = toTidemarkError(error)
      this.#retentionFault = `${kind}: ${message}`
      this.#pruneAtMs = nowMs() + PRUNE_AGAIN_MS
    }
  }

  /** What health says of retention; nothing where history is kept for good. */
  get checks(): readonly HealthCheck[] {
    if (this.#context.retentionMs === null) return []
    const fault = this.#retentionFault
    const message = `History could not be pruned, so that nothing is lost and the table grows; it is tried again: ${fault}`
    return [check('retention', fault === null ? 'ok' : 'warn', fault, message)]
  }
}
