import { type Lsn, lsnFromBigInt, TidemarkError } from '../../../protocol/index.ts'
import { readAnnotation } from './annotation.ts'
import { withAnnouncedPlans } from './announced-plans.ts'
import { isoOfMicroseconds } from './commit-time.ts'
import type { RowEvent, SourceEvent } from './source-event.ts'
import { planKey, type TablePlan, type TablePlans } from './table-plan.ts'

/** A message of pgoutput's protocol version 1; `begin` does not know the end of its transaction, `commit` does. */
export type PgoutputEvent =
  | { readonly type: 'begin'; readonly xid: string; readonly committedAt: string }
  | RowEvent
  | Annotation
  | { readonly type: 'truncate'; readonly plans: readonly TablePlan[] }
  | { readonly type: 'commit'; readonly lsn: Lsn }

type Annotation = Extract<SourceEvent, { type: 'annotation' }>

/** A relation message, which describes a table before its first row. */
export interface RelationMessage {
  readonly oid: number
  readonly schema: string
  readonly name: string
  /** In the order of its tuples' values; `typmod` is -1 where the type has none. */
  readonly columns: readonly { readonly name: string; readonly typeOid: number; readonly typmod: number }[]
}

interface Relation {
  readonly plan: TablePlan
  /** Position in the plan of each column of a tuple; -1 where it does not travel. */
  readonly targets: readonly number[]
}

// A text may begin with U+FEFF, which is not a mark here.
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true, fatal: false })
const HEX = new Uint8Array(128)
for (const [value, digit] of [...'0123456789abcdef'].entries()) HEX[digit.charCodeAt(0)] = value

/** Reads the bytes of Postgres' `\x…` text. */
export function bytesOfHex(text: string): Uint8Array {
  const bytes = new Uint8Array((text.length - 2) >> 1)
  for (let index = 0, at = 2; index < bytes.length; index += 1, at += 2) {
    bytes[index] = ((HEX[text.charCodeAt(at)] ?? 0) << 4) | (HEX[text.charCodeAt(at + 1)] ?? 0)
  }
  return bytes
}

/** Most texts that travel are ASCII of up to this many bytes, which is cheaper to read by hand. */
const SHORT_BYTES = 24

function decodeText(bytes: Uint8Array, start: number, end: number): string {
  if (end - start <= SHORT_BYTES) {
    let text = ''
    for (let at = start; at < end; at += 1) {
      const code = bytes[at] ?? 0
      if (code >= 128) return utf8.decode(bytes.subarray(start, end))
      text += String.fromCharCode(code)
    }
    return text
  }
  return utf8.decode(bytes.subarray(start, end))
}

/**
 * Reads the messages of one call of `pg_logical_slot_peek_binary_changes`, in order.
 *
 * Relation messages recur in every call, so each call needs a decoder of its own.
 */
export class PgoutputDecoder {
  #plans: TablePlans
  readonly #messages = new Map<number, RelationMessage>()
  readonly #relations = new Map<number, Relation | null>()

  constructor(plans: TablePlans) {
    this.#plans = plans
  }

  /** Decodes a message; null where it says nothing of planned tables. Throws `corrupt`. */
  decode(bytes: Uint8Array): PgoutputEvent | null {
    const reader = new Reader(bytes)
    const tag = reader.byte()
    switch (tag) {
      case 66:
        reader.skip(8)
        return { type: 'begin', committedAt: isoOfMicroseconds(reader.int64()), xid: String(reader.uint32()) }
      case 67:
        reader.skip(1 + 8)
        return { type: 'commit', lsn: lsnFromBigInt(reader.uint64()) }
      case 82:
        this.#relate(readRelation(reader))
        return null
      case 73:
      case 85:
      case 68:
        return this.#row(reader, tag)
      case 84:
        return this.#truncate(reader)
      case 77:
        return decodeMessage(reader)
      case 79:
      case 89:
        // Messages of origins and types are not needed.
        return null
      default:
        throw new TidemarkError('corrupt', `pgoutput sent a message of unknown kind ${tag}.`)
    }
  }

  #relate(message: RelationMessage): void {
    const { oid, schema, name, columns } = message
    this.#messages.set(oid, message)
    const plan = this.#plans.get(planKey(schema, name))
    const targets = columns.map((column) => plan?.positions.get(column.name) ?? -1)
    this.#relations.set(oid, plan === undefined ? null : { plan, targets })
  }

  #row(reader: Reader, tag: number): RowEvent | null {
    const oid = reader.uint32()
    const relation = this.#relations.get(oid)
    if (relation === undefined) throw new TidemarkError('corrupt', `pgoutput sent a row before its table (${oid}).`)
    if (relation === null) return null
    let old: (string | null | undefined)[] | null = null
    let part = reader.byte()
    if (part === 79 || part === 75) {
      old = reader.tuple(relation)
      // 'K' holds the key alone and NULL elsewhere: the table has lost its full identity.
      if (part === 75) old = []
      if (tag === 68) return { type: 'row', plan: relation.plan, old, new: null }
      part = reader.byte()
    }
    const event: RowEvent = {
      type: 'row',
      plan: relation.plan,
      old: tag === 73 ? null : (old ?? []),
      new: reader.tuple(relation),
    }
    return relation.plan.own === null ? event : this.#follow(withAnnouncedPlans(event))
  }

  /** Goes on by the plans that a row announces; tables that did not change are not described anew. */
  #follow(event: RowEvent): RowEvent {
    if (event.announces === undefined) return event
    this.#plans = event.announces
    for (const message of this.#messages.values()) this.#relate(message)
    return event
  }

  #truncate(reader: Reader): PgoutputEvent {
    const count = reader.uint32()
    reader.skip(1)
    const plans: TablePlan[] = []
    for (let index = 0; index < count; index += 1) {
      const relation = this.#relations.get(reader.uint32())
      if (relation) plans.push(relation.plan)
    }
    return { type: 'truncate', plans }
  }
}

/** Reads a message of kind `R`. */
export function decodeRelation(bytes: Uint8Array): RelationMessage {
  const reader = new Reader(bytes)
  reader.skip(1)
  return readRelation(reader)
}

function readRelation(reader: Reader): RelationMessage {
  const oid = reader.uint32()
  const schema = reader.cString() || 'pg_catalog'
  const name = reader.cString()
  reader.skip(1)
  const columns = Array.from({ length: reader.uint16() }, () => {
    reader.skip(1)
    return { name: reader.cString(), typeOid: reader.uint32(), typmod: reader.uint32() | 0 }
  })
  return { oid, schema, name, columns }
}

function decodeMessage(reader: Reader): Annotation | null {
  const transactional = reader.byte() === 1
  reader.skip(8)
  const prefix = reader.cString()
  const metadata = transactional ? readAnnotation(prefix, reader.text(reader.uint32())) : null
  return metadata === null ? null : { type: 'annotation', metadata }
}

class Reader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  skip(count: number): void {
    this.#at += count
  }

  byte(): number {
    return this.#view.getUint8(this.#advance(1))
  }

  uint16(): number {
    return this.#view.getUint16(this.#advance(2))
  }

  uint32(): number {
    return this.#view.getUint32(this.#advance(4))
  }

  uint64(): bigint {
    return this.#view.getBigUint64(this.#advance(8))
  }

  int64(): bigint {
    return this.#view.getBigInt64(this.#advance(8))
  }

  cString(): string {
    const end = this.#bytes.indexOf(0, this.#at)
    const text = decodeText(this.#bytes, this.#at, end)
    this.#at = end + 1
    return text
  }

  text(length: number): string {
    const start = this.#advance(length)
    return decodeText(this.#bytes, start, start + length)
  }

  tuple(relation: Relation): (string | null | undefined)[] {
    const values: (string | null | undefined)[] = new Array(relation.plan.columns.length).fill(undefined)
    const count = this.uint16()
    for (let column = 0; column < count; column += 1) {
      const target = relation.targets[column] ?? -1
      const kind = this.byte()
      if (kind === 110) {
        if (target !== -1) values[target] = null
      } else if (kind === 116) {
        const length = this.uint32()
        if (target !== -1) values[target] = decodeText(this.#bytes, this.#at, this.#at + length)
        this.#at += length
      } else if (kind !== 117) {
        throw new TidemarkError('corrupt', `pgoutput sent a column of unknown kind ${kind}.`)
      }
      // 'u' is an unchanged TOASTed value: absent.
    }
    return values
  }

  #advance(count: number): number {
    const at = this.#at
    this.#at += count
    return at
  }
}
