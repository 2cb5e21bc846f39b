import type { Replica } from '../../client/index.ts'
import { openReplica } from '../../client/index.ts'
import type { Sync } from '../../db/index.ts'
import { type Definition, type Lsn, quoteLiteral, type TableDefinition } from '../../protocol/index.ts'
import type { Database } from '../../workers/database/index.ts'
import type { System } from '../system/start-system.ts'
import { lineDifference } from './history-model.ts'
import { linesOf, PIN_SETTINGS, type ReplicaSample, selectAsText } from './samples.ts'

export interface MemberOptions {
  readonly name: string
  readonly userId: string
  readonly audiences: readonly string[]
  readonly storage: string
}

/** One replica of the oracle, across its closings and reopenings. */
export class FleetMember {
  readonly options: MemberOptions
  readonly samples: ReplicaSample[] = []
  readonly #system: System
  readonly #sync: Sync
  #replica: Replica | null = null
  #openings = 0

  constructor(system: System, sync: Sync, options: MemberOptions) {
    this.#system = system
    this.#sync = sync
    this.options = options
  }

  /** What is in memory is another replica each time, and may begin at an older snapshot. */
  get #identity(): string {
    const { name, storage } = this.options
    return storage === 'memory://' ? `${name}, opening ${this.#openings}` : name
  }

  get isOpen(): boolean {
    return this.#replica !== null
  }

  /** Whether its position is another than when it was last looked at. */
  get hasMoved(): boolean {
    const lsn = this.#replica?.status.lsn ?? null
    return lsn !== null && lsn !== this.samples.at(-1)?.cursor
  }

  get replica(): Replica {
    if (!this.#replica) throw new Error(`${this.options.name} is closed.`)
    return this.#replica
  }

  async open(): Promise<void> {
    const { userId, audiences, storage } = this.options
    const replica = await openReplica({
      url: this.#system.url,
      user: userId,
      token: () => this.#system.token({ userId, audiences }),
      sync: this.#sync,
      storage,
    })
    this.#replica = replica
    this.#openings += 1
  }

  async close(): Promise<void> {
    const replica = this.#replica
    this.#replica = null
    await replica?.close()
  }

  /** Takes down what the replica holds, rows and cursor at one moment; nothing before it is first ready. */
  async sample(definition: Definition, moment: string): Promise<void> {
    const replica = this.#replica
    if (!replica) return
    const taken = await replica.db.transaction(async (transaction) => {
      await transaction.exec(PIN_SETTINGS)
      const [position] = (await transaction.query<{ epoch: string; cursor: Lsn }>(CURSOR)).rows
      if (!position) return null
      const lines = new Map<string, readonly string[]>()
      for (const table of definition.tables) {
        const { rows } = await transaction.query<(string | null)[]>(selectAsText(table, false), [], {
          rowMode: 'array',
        })
        lines.set(table.id, linesOf(rows))
      }
      return { ...position, lines }
    })
    if (!taken) return
    const { audiences } = this.options
    this.samples.push({ replica: this.#identity, audiences, ...taken, moment })
  }

  /** How the replica differs from what its audiences select in Postgres, generated columns included; empty when it does not. */
  async differences(database: Database, definition: Definition): Promise<string[]> {
    const faults: string[] = []
    for (const table of definition.tables) {
      const expected = await database.transaction(({ rows }) =>
        rows(selectAsText(table, true, audienceFilter(table, this.options.audiences))),
      )
      const held = await this.replica.db.transaction(async (transaction) => {
        await transaction.exec(PIN_SETTINGS)
        return (await transaction.query<(string | null)[]>(selectAsText(table, true), [], { rowMode: 'array' })).rows
      })
      const difference = lineDifference(linesOf(expected), linesOf(held))
      if (difference.length > 0) {
        faults.push(
          `${this.options.name} (${this.options.audiences.join(' ')}) at the end: ${table.id} differs from Postgres\n  ${difference.join('\n  ')}`,
        )
      }
    }
    return faults
  }
}

/** The replica's position; none before it has first joined. */
const CURSOR = `SELECT epoch, cursor FROM tidemark.copy WHERE place = 'live' AND stage = 'joined'`

function audienceFilter(table: TableDefinition, audiences: readonly string[]): string {
  if ('constant' in table.audience) return audiences.includes(table.audience.constant) ? '' : 'WHERE false'
  const { prefix, column } = table.audience
  const wanted = audiences.map(quoteLiteral).join(', ')
  return `WHERE ${quoteLiteral(`${prefix}:`)} || "${column.replaceAll('"', '""')}"::text IN (${wanted})`
}
