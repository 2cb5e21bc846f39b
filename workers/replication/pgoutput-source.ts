import { formatPgLsn, type Lsn, parsePgLsn, TidemarkError } from '../../protocol/index.ts'
import { type DatabaseTransaction, textArray } from '../database/index.ts'
import type { ChangeSource, PeekRequest, SourcePage } from './change-source.ts'
import { bytesOfHex, PgoutputDecoder, type PgoutputEvent } from './rules/decode-pgoutput.ts'
import type { SourceEvent } from './rules/source-event.ts'
import type { TablePlans } from './rules/table-plan.ts'

export const PUBLICATION = 'tidemark'
const OPTIONS = ['proto_version', '1', 'publication_names', PUBLICATION, 'messages', 'true']
/** A transaction is held back for this many events until its commit message, which alone says where it ends. */
const HELD_EVENTS = 5_000

const PEEK_NAME = 'pg_logical_slot_peek_binary_changes'
const PEEK = `${PEEK_NAME}($1, $2::pg_lsn, $3::int, VARIADIC $4::text[])`

export function pgoutputSource(): ChangeSource {
  return { decoder: 'pgoutput', peek, call: () => ({ name: PEEK_NAME, options: OPTIONS }), decode }
}

function decode(rows: readonly string[], plans: TablePlans): SourceEvent[] {
  const decoder = new PgoutputDecoder(plans)
  const order = new CommitOrder(async () => null)
  const events: SourceEvent[] = []
  for (const hex of rows) {
    const event = decoder.decode(bytesOfHex(hex))
    if (event !== null) order.add(event, events)
  }
  return events
}

async function* peek(transaction: DatabaseTransaction, request: PeekRequest): AsyncGenerator<SourcePage> {
  const params = [request.slotName, formatPgLsn(request.upTo), request.maxChanges, textArray(OPTIONS)]
  const decoder = new PgoutputDecoder(request.plans)
  const text = `SELECT data, CASE get_byte(data, 0) WHEN 67 THEN xid::text END, CASE get_byte(data, 0) WHEN 67 THEN lsn::text END FROM ${PEEK}`
  const pages = transaction.pages(text, params, { scroll: true })
  let ends: Map<string, Lsn> | null = null
  const order = new CommitOrder(async (xid) => {
    const [, lastXid, lastLsn] = (await pages.last()) ?? []
    if (lastXid === xid && lastLsn) return parsePgLsn(lastLsn)
    ends ??= await readEnds(transaction, params)
    return ends.get(xid) ?? null
  })
  for await (const rows of pages) {
    const events: SourceEvent[] = []
    for (const [hex] of rows) {
      const event = decoder.decode(bytesOfHex(hex ?? ''))
      if (event !== null) order.add(event, events)
    }
    await order.release(events)
    yield { events, serverRows: rows.length }
  }
}

/** Reads where each transaction of this peek ends, by decoding again: large ones that are not its last need it. */
async function readEnds(transaction: DatabaseTransaction, params: (string | number)[]): Promise<Map<string, Lsn>> {
  const rows = await transaction.rows(`SELECT xid::text, lsn::text FROM ${PEEK} WHERE get_byte(data, 0) = 67`, params)
  return new Map(rows.map(([xid, lsn]) => [xid ?? '', parsePgLsn(lsn ?? '')]))
}

type Begin = Extract<PgoutputEvent, { type: 'begin' }>

/** Gives each transaction its end before its rows, holding small ones until their commit arrives. */
class CommitOrder {
  readonly #findEnd: (xid: string) => Promise<Lsn | null>
  #begin: Begin | null = null
  #held: SourceEvent[] = []

  constructor(findEnd: (xid: string) => Promise<Lsn | null>) {
    this.#findEnd = findEnd
  }

  add(event: PgoutputEvent, events: SourceEvent[]): void {
    switch (event.type) {
      case 'begin':
        this.#begin = event
        return
      case 'commit':
        if (this.#begin !== null) this.#announce(event.lsn, events)
        events.push({ type: 'commit' })
        return
      case 'truncate':
        for (const plan of event.plans) this.#push({ type: 'truncate', plan }, events)
        return
      case 'row':
      case 'annotation':
        this.#push(event, events)
    }
  }

  /** Ends a page: a transaction held for too long is announced by looking its end up. */
  async release(events: SourceEvent[]): Promise<void> {
    if (this.#begin === null || this.#held.length < HELD_EVENTS) return
    const lsn = await this.#findEnd(this.#begin.xid)
    if (lsn === null) throw new TidemarkError('corrupt', `Transaction ${this.#begin.xid} has no commit in the log.`)
    this.#announce(lsn, events)
  }

  #push(event: SourceEvent, events: SourceEvent[]): void {
    if (this.#begin === null) events.push(event)
    else this.#held.push(event)
  }

  #announce(lsn: Lsn, events: SourceEvent[]): void {
    if (this.#begin === null) return
    const { xid, committedAt } = this.#begin
    events.push({ type: 'begin', xid, lsn, committedAt })
    for (const held of this.#held) events.push(held)
    this.#begin = null
    this.#held = []
  }
}
