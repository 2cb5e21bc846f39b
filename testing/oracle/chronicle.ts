import { type Lsn, parsePgLsn, parsePgSnapshot, ZERO_LSN } from '../../protocol/index.ts'
import type { Database } from '../../workers/database/index.ts'
import { until } from '../system/until.ts'
import { examine, examineRights, type RightsEvent } from './examine.ts'
import {
  type DefinitionChange,
  HistoryModel,
  type HistoryRow,
  type ModelState,
  visibleHistory,
} from './history-model.ts'
import {
  type PostgresSample,
  type ReplicaSample,
  readHistory,
  requireDefinition,
  samplePostgres,
  stateOf,
} from './samples.ts'

/** Keeps the truth of a run, to compare replicas with: epochs, definitions, rights, and history before it is pruned. */
export class Chronicle {
  readonly changes = new Map<number, DefinitionChange>()
  readonly rights: RightsEvent[] = []
  readonly postgresSamples: PostgresSample[] = []
  /** One sample of Postgres for each epoch, taken some time after it began; oldest first. */
  readonly #epochs: PostgresSample[] = []
  readonly #adoptions: { readonly beforeMs: number; readonly sample: PostgresSample }[] = []
  readonly #history = new Map<string, Map<string, HistoryRow>>()

  get epochs(): readonly string[] {
    return this.#epochs.map(({ epoch }) => epoch)
  }

  /** Waits for an epoch that is not known yet; nobody may write meanwhile. */
  async awaitEpoch(database: Database): Promise<void> {
    // It pauses between its looks, because their transactions would hold up the slot with which the epoch begins.
    const found = await until(async () => {
      const sample = await samplePostgres(database)
      return sample.epoch !== '' && !this.epochs.includes(sample.epoch) && sample
    })
    this.#epochs.push(found)
  }

  /** Alters tables behind capture's back, and waits for the definition that capture puts in force for it by itself. */
  async awaitAdoption(database: Database, alter: () => Promise<void>): Promise<void> {
    const { version } = await requireDefinition(database.query)
    const beforeMs = performance.now()
    await alter()
    const sample = await until(async () => {
      const taken = await samplePostgres(database)
      return taken.definition.version > version && taken
    })
    this.#adoptions.push({ beforeMs, sample })
  }

  /** Keeps all of the history that is stored now. */
  async archive(database: Database): Promise<void> {
    for (const epoch of this.epochs) {
      const kept = this.#history.get(epoch) ?? new Map<string, HistoryRow>()
      this.#history.set(epoch, kept)
      for (const row of await readHistory(database, epoch)) kept.set(`${row.lsn}/${row.seq}`, row)
    }
  }

  historyOf(epoch: string): HistoryRow[] {
    return [...(this.#history.get(epoch)?.values() ?? [])].sort((a, b) =>
      a.lsn === b.lsn ? a.seq - b.seq : a.lsn < b.lsn ? -1 : 1,
    )
  }

  /** Answers every contradiction between samples and history; called at the end, when all is captured. */
  async examine(database: Database, replicaSamples: readonly ReplicaSample[]): Promise<string[]> {
    await this.archive(database)
    const stored = await database.query('SELECT id, head_lsn::text AS head FROM tidemark.epoch ORDER BY started_at')
    const faults: string[] = []
    if (stored.map(({ id }) => id).join() !== this.epochs.join())
      faults.push(`there were epochs ${stored.map(({ id }) => id).join()} where ${this.epochs.join()} had a cause`)
    for (const sample of replicaSamples) {
      if (!this.epochs.includes(sample.epoch)) faults.push(`${sample.replica} is in epoch ${sample.epoch}`)
    }
    for (const { epoch } of this.#epochs) {
      const head = stored.find(({ id }) => id === epoch)?.head
      // Commits not captured before a slot was lost are in no history, so samples beyond its head are left out.
      const told = epoch === this.epochs.at(-1) || !head ? null : parsePgLsn(head)
      faults.push(...this.#examineEpoch(epoch, told, replicaSamples))
    }
    return [...faults, ...this.#examineOrder(replicaSamples), ...examineRights(this.rights, replicaSamples)]
  }

  #examineEpoch(epoch: string, told: Lsn | null, replicaSamples: readonly ReplicaSample[]): string[] {
    const history = this.historyOf(epoch)
    const first = this.#epochs.find((sample) => sample.epoch === epoch)
    if (!first) return []
    // The state at the epoch's beginning is its first sample with the history undone that the sample shows.
    return examine({
      start: { definition: first.definition, base: this.#undone(first, history) },
      changes: new Map([...this.changes, ...this.#adoptedIn(history)]),
      history,
      replicaSamples: replicaSamples.filter((sample) => sample.epoch === epoch),
      postgresSamples: this.postgresSamples.filter(
        (sample) => sample.epoch === epoch && (told === null || sample.lsn <= told),
      ),
    })
  }

  /** Answers a sample's state with that part of this history undone that is visible to it. */
  #undone(sample: PostgresSample, history: readonly HistoryRow[]): ModelState {
    const model = new HistoryModel({ definition: sample.definition, base: stateOf(sample) }, this.changes)
    for (const change of visibleHistory(history, parsePgSnapshot(sample.snapshot)).toReversed()) model.undo(change)
    return model.state
  }

  /** Answers the definitions that capture put in force by itself in this history, with the rows of renewed tables. */
  #adoptedIn(history: readonly HistoryRow[]): Map<number, DefinitionChange> {
    const changes = new Map<number, DefinitionChange>()
    for (const { beforeMs, sample } of this.#adoptions) {
      const { definition } = sample
      const place = history.findIndex(
        ({ operation, data }) => operation === 'definition' && Number(data?.version) === definition.version,
      )
      if (place < 0) continue
      const state = this.#undone(sample, history.slice(place + 1))
      const anew = definition.definition.tables.filter(({ since }) => since === definition.version)
      const rows = new Map(anew.map(({ id }) => [id, state.get(id) ?? new Map()]))
      changes.set(definition.version, { definition, state: rows, adopted: true, beforeMs })
    }
    return changes
  }

  #examineOrder(replicaSamples: readonly ReplicaSample[]): string[] {
    const faults: string[] = []
    const reached = new Map<string, number>()
    for (const { replica, epoch, moment } of replicaSamples) {
      const index = this.epochs.indexOf(epoch)
      if (index < (reached.get(replica) ?? 0)) faults.push(`${replica} went back to an ended epoch (${moment})`)
      reached.set(replica, index)
    }
    return faults
  }

  /** Notes rights that a replica had before the first commit. */
  grantFromStart(replica: string, audiences: readonly string[]): void {
    for (const audience of audiences) this.rights.push({ replica, audience, granted: true, lsn: ZERO_LSN })
  }
}
