import type {
  Lsn,
  OutcomesAnswer,
  PatchRow,
  PredictedChange,
  PushAnswer,
  PushedMutation,
  Row,
} from '../../protocol/index.ts'
import type { Random } from '../oracle/random.ts'
import {
  at,
  batch,
  committedAs,
  type ReceivedPush,
  type ScriptedServer,
  type ScriptedSession,
  type TransactionScript,
} from '../replica/scripted-server.ts'
import { REFUSED } from './write-on.ts'

const REFUSAL = { kind: 'refused', message: 'Not this title.' } as const

/**
 * Makes a scripted server commit what it is pushed, once each, and stream it to whoever connects; some answers are lost, with what
 * they answer to or without.
 */
export class CommittingServer {
  readonly #server: ScriptedServer
  readonly #random: Random
  readonly #log: TransactionScript[] = []
  /** Sessions that are sent what is committed, and up to where they were. */
  readonly #streaming = new Map<ScriptedSession, Lsn>()
  /** The client ids that pushed. */
  readonly clients = new Set<string>()
  readonly committed = new Map<number, PushedMutation>()
  readonly rejected = new Set<number>()
  /** Notes by their id. */
  readonly notes = new Map<string, Row>()

  constructor(server: ScriptedServer, random: Random, notes: readonly Row[]) {
    this.#server = server
    this.#random = random
    for (const note of notes) this.notes.set(note.id ?? '', note)
    server.answerPush = (push) => this.#answer(push)
    server.answerOutcomes = ({ counters }) => ({
      epoch: server.epoch,
      outcomes: counters.flatMap((counter) => this.#known(counter)),
    })
    server.welcome = ({ epoch, cursor }) => {
      const index = server.sessions.length
      void server.session(index).then((session) => this.#follow(session, epoch === server.epoch ? cursor : null))
      return {}
    }
  }

  get head(): Lsn {
    return this.#server.head
  }

  #known(counter: number): OutcomesAnswer['outcomes'] {
    if (this.rejected.has(counter)) return [{ outcome: { counter, status: 'rejected', rejection: REFUSAL }, lsn: null }]
    const commit = this.#log.find(({ changes }) => changes.some((change) => change.o === 'm' && change.c === counter))
    return commit ? [{ outcome: { counter, status: 'committed' }, lsn: commit.lsn }] : []
  }

  /** Sends a session what it lacks, from where it stands or from where its load begins. */
  async #follow(session: ScriptedSession, cursor: Lsn | null): Promise<void> {
    const from = cursor ?? (await session.frame('stream')).from
    const missing = this.#log.filter(({ lsn }) => lsn > from)
    if (missing.length > 0) session.send(batch(from, this.head, missing))
    this.#streaming.set(session, this.head)
  }

  #answer(push: ReceivedPush): PushAnswer | number | null {
    this.clients.add(push.client)
    if (this.#random.chance(0.1)) return this.#random.chance(0.5) ? 503 : null
    const outcomes = push.mutations.map((mutation) => this.#decide(mutation))
    this.#sendNews()
    return this.#random.chance(0.1) ? null : { outcomes, retry: null }
  }

  #decide(mutation: PushedMutation): PushAnswer['outcomes'][number] {
    const { counter } = mutation
    const known = this.committed.get(counter)
    if (known && JSON.stringify(known) !== JSON.stringify(mutation))
      throw new Error(`Mutation ${counter} came with another text.`)
    const rows: readonly (PatchRow | PredictedChange)[] =
      mutation.kind === 'patch' ? mutation.rows : (mutation.predicted ?? [])
    const isRefused = rows.some((row) => row.o === 'u' && row.d.title?.startsWith(REFUSED))
    if (isRefused) {
      this.rejected.add(counter)
      return { counter, status: 'rejected', rejection: REFUSAL }
    }
    if (!known) {
      this.committed.set(counter, mutation)
      for (const row of rows) this.#apply(row)
      this.#server.head = at(Number.parseInt(this.head, 16) + 0x10)
      this.#log.push(committedAs(this.head, mutation))
    }
    return { counter, status: 'committed' }
  }

  #apply(row: PatchRow | PredictedChange): void {
    const id = row.o === 'i' ? row.d.id : row.k.id
    if (typeof id !== 'string') throw new Error('A note has no id.')
    if (row.o === 'd') this.notes.delete(id)
    else this.notes.set(id, { ...(row.o === 'u' ? this.notes.get(id) : {}), ...row.d })
  }

  #sendNews(): void {
    for (const [session, from] of this.#streaming) {
      if (session.isClosed) this.#streaming.delete(session)
      else if (from < this.head) {
        session.send(
          batch(
            from,
            this.head,
            this.#log.filter(({ lsn }) => lsn > from),
          ),
        )
        this.#streaming.set(session, this.head)
      }
    }
  }
}
