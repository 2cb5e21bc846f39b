import { decodeTransactions } from '../../client/mutations/decode-transactions.ts'
import { patchOfWrites, patchTables } from '../../client/mutations/rules/patch-of-writes.ts'
import { Outbox } from '../../client/outbox/outbox.ts'
import { type Applied, applyTransactions } from '../../client/replica/apply.ts'
import type { Granted } from '../../client/replica/granted.ts'
import { joinCopy } from '../../client/replica/join.ts'
import { type Copy, insertCopy, readCopies } from '../../client/store/copies.ts'
import type { Database } from '../../client/store/database.ts'
import { replaceTables } from '../../client/store/definition-ddl.ts'
import { openOwnSchema } from '../../client/store/own-schema.ts'
import { readPatches } from '../../client/store/rows/mutation-rows.ts'
import { readWritesOf } from '../../client/store/rows/write-rows.ts'
import { withServerRows } from '../../client/store/server-rows.ts'
import type { Actions } from '../../db/define-sync.ts'
import {
  type Definition,
  type Lsn,
  MarkerEncoder,
  type OutcomesAnswer,
  type PredictedChange,
  predictedByPatch,
  type Rejection,
  type Row,
  type WireChange,
} from '../../protocol/index.ts'
import { startLiveHere } from '../live/live-database.ts'
import { openPreparedDatabase } from './prepared-database.ts'
import { at } from './scripted-server.ts'

/** The author of a transaction: one of this replica's mutations, or others. */
export interface Authorship {
  readonly counter?: number
  readonly rejection?: Rejection
}

interface Options {
  readonly audiences?: readonly string[]
  readonly actions?: Actions
  readonly development?: boolean
  readonly rows?: Readonly<Record<string, readonly Row[]>>
}

/** A replica without a connection: whole, at one LSN, fed by hand with changes that a server would send. */
export class LocalReplica {
  readonly db: Database
  readonly outbox: Outbox
  copy: Copy
  outcomes: OutcomesAnswer['outcomes'] = []
  #position = 0x100
  #asked: number[] = []

  private constructor(db: Database, copy: Copy, options: Options) {
    this.db = db
    this.copy = copy
    this.outbox = new Outbox({
      db,
      clientId: 'client-of-this-test',
      user: 'ann',
      syncActions: options.actions ?? {},
      development: options.development ?? false,
      shown: () => this.copy,
      warn: () => undefined,
      askOutcomes: async (counters) => {
        this.#asked = [...counters]
        return { epoch: this.copy.epoch, outcomes: this.outcomes }
      },
    })
  }

  static async open(definition: Definition, options: Options = {}): Promise<LocalReplica> {
    const db = await openPreparedDatabase({ kind: 'memory', name: '' })
    await openOwnSchema(db, 'ann')
    const ready = Promise.resolve()
    db.live = startLiveHere({ db, ready: () => ready, isReady: () => true, warn: () => undefined }).namespace
    const { audiences = ['org:a'] } = options
    const manifests = audiences.map((audience) => ({
      epoch: 'epoch-one',
      audience,
      definitionVersion: 1,
      definitionHash: 'hash-one',
      definition,
      start: at(0x100),
      fence: at(0x100),
      snapshot: '10:10:',
      builtAt: '2026-11-20T00:00:00Z',
      tables: [],
    }))
    const copy = await withServerRows(db, async (tx) => {
      await tx.exec(replaceTables(null, definition, 'x').statements.join('\n'))
      await insertCopy(tx, {
        place: 'live',
        stage: 'window',
        epoch: 'epoch-one',
        cursor: at(0x100),
        definition: { version: 1, hash: 'hash-one', definition },
        manifests,
      })
      const [made] = await readCopies(tx)
      if (!made) throw new Error('The copy is not there.')
      return made
    })
    const replica = new LocalReplica(db, copy, options)
    replica.copy = await withServerRows(db, (tx) => joinCopy(tx, copy, replica.outbox))
    const rows = Object.entries(options.rows ?? {}).flatMap(([table, ofTable]) =>
      ofTable.map((row): WireChange => ({ o: 'i', t: table, a: replica.audienceOf(table, row), d: row })),
    )
    if (rows.length > 0) await replica.commit(rows)
    return replica
  }

  audienceOf(table: string, row: Row): string {
    const rule = this.copy.tables.get(table)?.audience
    return rule && 'column' in rule ? `${rule.prefix}:${row[rule.column]}` : 'all'
  }

  get cursor(): Lsn {
    return this.copy.cursor
  }

  get asked(): readonly number[] {
    return this.#asked
  }

  /** Applies changes as one transaction of the server's; a mutation of its own comes with its marker. */
  commit(changes: readonly WireChange[], by: Authorship = {}): Promise<Applied> {
    return this.commitAll([{ changes, by }])
  }

  async commitAll(
    transactions: readonly { readonly changes: readonly WireChange[]; readonly by?: Authorship }[],
    granted?: Granted,
  ): Promise<Applied> {
    const wire = []
    for (const { changes, by = {} } of transactions) {
      this.#position += 0x10
      const lsn = at(this.#position)
      wire.push({
        lsn,
        xid: String(this.#position),
        at: '2026-11-20T00:00:00Z',
        changes: await this.#marked(changes, by),
      })
    }
    const decoded = await decodeTransactions(this.db, wire, this.copy.tables)
    const applied = await applyTransactions(this.outbox, this.copy, decoded, at(this.#position), granted)
    this.copy = applied.copy
    return applied
  }

  async #marked(changes: readonly WireChange[], { counter, rejection }: Authorship) {
    if (counter === undefined) return [...changes]
    const { rows } = await this.db.query<{ predicted: string | null }>(
      'SELECT predicted FROM tidemark.mutation WHERE counter = $1',
      [counter],
    )
    const note = { o: 'm' as const, c: counter, ...(rejection ? { r: rejection } : {}) }
    const predicted = rows[0]?.predicted
    if (predicted == null) return [note, ...changes]
    const encoder = new MarkerEncoder(JSON.parse(predicted) as PredictedChange[])
    return [note, ...changes.map((change) => encoder.encode(change))]
  }

  /** Freezes a mutation as its first sending would; answers the changes that it predicts. */
  async send(counter: number): Promise<readonly PredictedChange[]> {
    return this.db.transaction(async (tx) => {
      await this.outbox.sealNewPatches(tx, this.copy.tables)
      const patch = (await readPatches(tx, [counter])).get(counter)
      const rows = patch ?? patchOfWrites(await readWritesOf(tx, [counter]), patchTables(this.copy.tables), () => null)
      const predicted = predictedByPatch(rows)
      await tx.query(
        `UPDATE tidemark.mutation SET status = 'sent', sealed = true, request = '{}', predicted = $2 WHERE counter = $1`,
        [counter, JSON.stringify(predicted)],
      )
      return predicted
    })
  }

  /** Reads the mutations by counter: `status`, with a `!` where it is without effect, and the kind of its rejection. */
  async states(): Promise<Record<number, string>> {
    const { rows } = await this.db.query<{
      counter: number
      status: string
      effective: boolean
      rejection: string | null
    }>('SELECT counter, status, effective, rejection FROM tidemark.mutation ORDER BY counter')
    return Object.fromEntries(
      rows.map(({ counter, status, effective, rejection }) => [
        counter,
        `${status}${effective ? '' : '!'}${rejection ? ` ${(JSON.parse(rejection) as Rejection).kind}` : ''}`,
      ]),
    )
  }

  async rows(table: string, columns = '*'): Promise<Record<string, unknown>[]> {
    const { rows } = await this.db.query<Record<string, unknown>>(`SELECT ${columns} FROM ${table} ORDER BY 1`)
    return rows
  }

  close(): Promise<void> {
    return this.db.close()
  }
}
