import { formatPgLsn } from '../../protocol/index.ts'
import { textArray } from '../database/index.ts'
import type { ChangeSource, PeekRequest, SourcePage } from './change-source.ts'
import { ANNOTATION_PREFIX } from './rules/annotation.ts'
import { Wal2jsonDecoder } from './rules/decode-wal2json.ts'
import type { TablePlans } from './rules/table-plan.ts'

const PEEK = 'pg_logical_slot_peek_changes'
const OPTIONS = [
  ['format-version', '2'],
  ['include-lsn', '1'],
  ['include-xids', '1'],
  ['include-timestamp', '1'],
  ['include-types', '0'],
  ['add-msg-prefixes', ANNOTATION_PREFIX],
]

/** Escapes a name for wal2json's table lists, in which some characters have a meaning. */
export function wal2jsonName(name: string): string {
  return name.replace(/[\\ ,.*]/g, (character) => `\\${character}`)
}

/** `numericAsString` is true from wal2json 2.6 on; without it NaN and infinities would arrive as null. */
export function wal2jsonSource({ numericAsString }: { numericAsString: boolean }): ChangeSource {
  const optionsFor = (plans: TablePlans): string[] => {
    const tables = [...plans.values()].map((plan) => `${wal2jsonName(plan.schema)}.${wal2jsonName(plan.name)}`)
    const options = [...OPTIONS, ['add-tables', tables.join(',')]]
    if (numericAsString) options.push(['numeric-data-types-as-string', '1'])
    return options.flat()
  }
  return {
    decoder: 'wal2json',
    async *peek(transaction, request: PeekRequest): AsyncGenerator<SourcePage> {
      const { slotName, upTo, maxChanges, plans, ahead = new Map() } = request
      const listed = new Map([...ahead, ...plans])
      const params = [slotName, formatPgLsn(upTo), maxChanges, textArray(optionsFor(listed))]
      const decoder = new Wal2jsonDecoder(plans)
      const pages = transaction.pages(`SELECT data FROM ${PEEK}($1, $2::pg_lsn, $3::int, VARIADIC $4::text[])`, params)
      for await (const rows of pages) {
        const lines = rows.map(([line]) => line ?? '')
        yield { events: decoder.decode(lines), serverRows: rows.length }
      }
    },
    call: (plans) => ({ name: PEEK, options: optionsFor(plans) }),
    decode: (lines, plans) => new Wal2jsonDecoder(plans).decode(lines),
  }
}
