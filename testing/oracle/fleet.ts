import { openReplicaOn } from '../../client/open-replica.ts'
import type { Replica } from '../../client/replica-api.ts'
import type { Sync } from '../../db/index.ts'
import { quoteLiteral, type TableDefinition } from '../../protocol/index.ts'
import type { Database } from '../../workers/database/index.ts'
import { openPreparedDatabase } from '../replica/prepared-database.ts'
import type { System } from '../system/start-system.ts'
import { startTcpGate, type TcpGate } from '../system/tcp-gate.ts'
import { lineDifference } from './history-model.ts'
import { sampleReplica } from './sample-replica.ts'
import { linesOf, PIN_SETTINGS, type ReplicaSample, requireDefinition, selectAsText } from './samples.ts'

export interface MemberOptions {
  readonly name: string
  readonly userId: string
  /** The audiences that its token lists. */
  readonly listed: readonly string[]
  /** The organisations that its user belongs to at first. */
  readonly orgs: readonly string[]
  readonly storage: string
}

/** One replica of the oracle, across its closings and reopenings. */
export class FleetMember {
  readonly options: MemberOptions
  readonly samples: ReplicaSample[] = []
  readonly #system: System
  readonly #sync: Sync
  /** Its own stretch of the network. */
  readonly gate: TcpGate
  #replica: Replica | null = null
  #openings = 0

  private constructor(system: System, sync: Sync, options: MemberOptions, gate: TcpGate) {
    this.#system = system
    this.#sync = sync
    this.options = options
    this.gate = gate
  }

  static async start(system: System, sync: Sync, options: MemberOptions): Promise<FleetMember> {
    return new FleetMember(system, sync, options, await startTcpGate(system.gate.port))
  }

  /** Each opening in memory is another replica, which may begin at an older snapshot. */
  get #identity(): string {
    const { name, storage } = this.options
    return storage === 'memory://' ? `${name}, opening ${this.#openings}` : name
  }

  get isOpen(): boolean {
    return this.#replica !== null
  }

  /** True where its position is another than in the last sample. */
  get hasMoved(): boolean {
    const lsn = this.#replica?.status.lsn ?? null
    return lsn !== null && lsn !== this.samples.at(-1)?.cursor
  }

  get replica(): Replica {
    if (!this.#replica) throw new Error(`${this.options.name} is closed.`)
    return this.#replica
  }

  async open(): Promise<void> {
    const { userId, listed, storage } = this.options
    const replica = await openReplicaOn(
      {
        url: `http://127.0.0.1:${this.gate.port}`,
        user: userId,
        token: () => this.#system.token({ userId, audiences: listed }),
        sync: this.#sync,
        storage,
      },
      openPreparedDatabase,
    )
    this.#replica = replica
    this.#openings += 1
  }

  async close(): Promise<void> {
    const replica = this.#replica
    this.#replica = null
    await replica?.close()
  }

  /** Closes it for good. */
  async dispose(): Promise<void> {
    await this.close()
    await this.gate.dispose()
  }

  /** Records rows, cursor and audiences of the replica at one moment; nothing before it is first ready. */
  async sample(moment: string): Promise<void> {
    const replica = this.#replica
    if (!replica) return
    const taken = await sampleReplica(replica.db)
    if (taken) this.samples.push({ replica: this.#identity, ...taken, moment, takenMs: performance.now() })
  }

  /** The audiences that its user has by now. */
  async rights(database: Database): Promise<string[]> {
    const { userId, listed } = this.options
    const orgs = await database.query('SELECT org_id::text AS org FROM public.membership WHERE user_id = $1', [userId])
    return [...listed, ...orgs.map(({ org }) => `org:${org}`)]
  }

  /** Answers its differences from what its audiences select in Postgres, generated columns included; empty if none. */
  async differences(database: Database): Promise<string[]> {
    const faults: string[] = []
    const { name } = this.options
    const audiences = await this.rights(database)
    const { definition } = await requireDefinition(database.query)
    for (const table of definition.tables) {
      const expected = await database.transaction(({ rows }) =>
        rows(selectAsText(table, true, audienceFilter(table, audiences))),
      )
      const held = await this.replica.db.transaction(async (transaction) => {
        await transaction.exec(PIN_SETTINGS)
        return (await transaction.query<(string | null)[]>(selectAsText(table, true), [], { rowMode: 'array' })).rows
      })
      const difference = lineDifference(linesOf(expected), linesOf(held))
      if (difference.length > 0) {
        faults.push(
          `${name} (${audiences.join(' ')}) at the end: ${table.id} differs from Postgres\n  ${difference.join('\n  ')}`,
        )
      }
    }
    return faults
  }
}

function audienceFilter(table: TableDefinition, audiences: readonly string[]): string {
  if ('constant' in table.audience) return audiences.includes(table.audience.constant) ? '' : 'WHERE false'
  const { prefix, column } = table.audience
  const wanted = audiences.map(quoteLiteral).join(', ')
  return `WHERE ${quoteLiteral(`${prefix}:`)} || "${column.replaceAll('"', '""')}"::text IN (${wanted})`
}
