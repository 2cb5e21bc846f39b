import { parsePgLsn, TidemarkError } from '../../../protocol/index.ts'
import { readAnnotation } from './annotation.ts'
import { withAnnouncedPlans } from './announced-plans.ts'
import { isoOfPostgresText } from './commit-time.ts'
import type { SourceEvent } from './source-event.ts'
import { planKey, type TablePlan, type TablePlans } from './table-plan.ts'

/** The place up to which a line is read. Numbers keep their source text, because `JSON.parse` would round them. */
interface Scan {
  readonly text: string
  at: number
}

function fail(scan: Scan): never {
  throw new TidemarkError('corrupt', `wal2json printed a line that is not of format 2, near character ${scan.at}.`)
}

function skip(scan: Scan, expected: string): void {
  if (!scan.text.startsWith(expected, scan.at)) fail(scan)
  scan.at += expected.length
}

function readString(scan: Scan): string {
  const start = scan.at
  if (scan.text.charCodeAt(start) !== 34) fail(scan)
  let end = scan.text.indexOf('"', start + 1)
  if (end === -1) fail(scan)
  const plain = scan.text.slice(start + 1, end)
  if (!plain.includes('\\')) {
    scan.at = end + 1
    return plain
  }
  while (isEscaped(scan.text, end)) {
    end = scan.text.indexOf('"', end + 1)
    if (end === -1) fail(scan)
  }
  scan.at = end + 1
  return JSON.parse(scan.text.slice(start, end + 1))
}

function isEscaped(text: string, at: number): boolean {
  let backslashes = 0
  while (text.charCodeAt(at - 1 - backslashes) === 92) backslashes += 1
  return backslashes % 2 === 1
}

/** Reads a column's value as Postgres prints it. */
function readValue(scan: Scan): string | null {
  const code = scan.text.charCodeAt(scan.at)
  if (code === 34) return readString(scan)
  const start = scan.at
  let end = start
  while (end < scan.text.length && scan.text.charCodeAt(end) !== 125 && scan.text.charCodeAt(end) !== 44) end += 1
  const bare = scan.text.slice(start, end)
  scan.at = end
  if (bare === 'null') return null
  if (bare === 'true') return 't'
  if (bare === 'false') return 'f'
  if (bare === '') fail(scan)
  return bare
}

/** Reads `[{"name":…,"value":…},…]` into the plan's order; columns the plan does not know are passed over. */
function readColumns(scan: Scan, plan: TablePlan): (string | null | undefined)[] {
  const values: (string | null | undefined)[] = new Array(plan.columns.length).fill(undefined)
  skip(scan, '[')
  let guess = 0
  while (scan.text.charCodeAt(scan.at) !== 93) {
    if (scan.text.charCodeAt(scan.at) === 44) scan.at += 1
    skip(scan, '{"name":')
    const name = readString(scan)
    skip(scan, ',"value":')
    const value = readValue(scan)
    skip(scan, '}')
    // Columns come in the plan's order but for those that do not travel.
    const position = plan.columns[guess] === name ? guess : (plan.positions.get(name) ?? -1)
    if (position === -1) continue
    guess = position + 1
    values[position] = value !== null && plan.isBytea[position] ? `\\x${value}` : value
  }
  scan.at += 1
  return values
}

/** Moves past a field's name; no value can hide it because our fields come before the columns. */
function seek(scan: Scan, field: string): boolean {
  const found = scan.text.indexOf(field, scan.at)
  if (found === -1) return false
  scan.at = found + field.length
  return true
}

interface Boundary {
  readonly xid: number
  readonly timestamp: string
  readonly nextlsn: string
}

/** Decodes the lines of one call of `pg_logical_slot_peek_changes`, in order. */
export class Wal2jsonDecoder {
  #plans: TablePlans

  constructor(plans: TablePlans) {
    this.#plans = plans
  }

  decode(lines: readonly string[]): SourceEvent[] {
    return lines.flatMap((line) => this.#decodeLine(line) ?? [])
  }

  #decodeLine(line: string): SourceEvent | null {
    const decoded = decodeWal2json(line, this.#plans)
    if (decoded?.type !== 'row' || decoded.plan.own === null) return decoded
    const event = withAnnouncedPlans(decoded)
    this.#plans = event.announces ?? this.#plans
    return event
  }
}

/** Reads one line of format version 2; null where it says nothing of synced tables. Throws `corrupt`. */
export function decodeWal2json(line: string, plans: TablePlans): SourceEvent | null {
  if (!line.startsWith('{"action":"')) fail({ text: line, at: 0 })
  const action = line.charCodeAt(11)
  switch (action) {
    case 66: {
      const begin: Boundary = JSON.parse(line)
      return {
        type: 'begin',
        xid: String(begin.xid),
        lsn: parsePgLsn(begin.nextlsn),
        committedAt: isoOfPostgresText(begin.timestamp),
      }
    }
    case 67:
      return { type: 'commit' }
    case 73:
    case 85:
    case 68:
    case 84:
      return decodeRow(line, action, plans)
    case 77:
      return decodeMessage(line)
    default:
      return fail({ text: line, at: 11 })
  }
}

interface Message {
  readonly transactional: boolean
  readonly prefix: string
  readonly content: string
}

function decodeMessage(line: string): SourceEvent | null {
  const { transactional, prefix, content }: Message = JSON.parse(line)
  const metadata = transactional ? readAnnotation(prefix, content) : null
  return metadata === null ? null : { type: 'annotation', metadata }
}

function decodeRow(line: string, action: number, plans: TablePlans): SourceEvent | null {
  const scan: Scan = { text: line, at: 12 }
  if (!seek(scan, '"schema":')) fail(scan)
  const schema = readString(scan)
  skip(scan, ',"table":')
  const plan = plans.get(planKey(schema, readString(scan)))
  if (plan === undefined) return null
  if (action === 84) return { type: 'truncate', plan }
  let values: (string | null | undefined)[] | null = null
  let old: (string | null | undefined)[] | null = null
  if (scan.text.startsWith(',"columns":', scan.at)) {
    scan.at += 11
    values = readColumns(scan, plan)
  }
  if (scan.text.startsWith(',"identity":', scan.at)) {
    scan.at += 12
    old = readColumns(scan, plan)
  }
  // Without an identity the row's old values are unknown, which `toChanges` reports.
  if (action !== 73 && old === null) old = []
  return { type: 'row', plan, old: action === 73 ? null : old, new: action === 68 ? null : values }
}
