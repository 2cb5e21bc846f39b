import { formatPgLsn } from '../../protocol/index.ts'
import { textArray } from '../database/index.ts'
import type { ChangeSource, PeekRequest, SourcePage } from './change-source.ts'
import { decodeWal2json } from './rules/decode-wal2json.ts'
import type { SourceEvent } from './rules/source-event.ts'

const OPTIONS = [
  ['format-version', '2'],
  ['include-lsn', '1'],
  ['include-xids', '1'],
  ['include-timestamp', '1'],
  ['include-types', '0'],
]

/** A name in wal2json's table lists: every character with a meaning there is escaped. */
export function wal2jsonName(name: string): string {
  return name.replace(/[\\ ,.*]/g, (character) => `\\${character}`)
}

/** `numericAsString`: from 2.6 on; without it NaN and infinities would arrive as null. */
export function wal2jsonSource({ numericAsString }: { numericAsString: boolean }): ChangeSource {
  return {
    decoder: 'wal2json',
    async *peek(transaction, request: PeekRequest): AsyncGenerator<SourcePage> {
      const tables = [...request.plans.values()].map(
        (plan) => `${wal2jsonName(plan.schema)}.${wal2jsonName(plan.name)}`,
      )
      const options = [...OPTIONS, ['add-tables', tables.join(',')]]
      if (numericAsString) options.push(['numeric-data-types-as-string', '1'])
      const pages = transaction.pages(
        `SELECT data FROM pg_logical_slot_peek_changes($1, $2::pg_lsn, $3::int, VARIADIC $4::text[])`,
        [request.slotName, formatPgLsn(request.upTo), request.maxChanges, textArray(options.flat())],
      )
      for await (const rows of pages) {
        const events: SourceEvent[] = []
        for (const [line] of rows) {
          const event = decodeWal2json(line ?? '', request.plans)
          if (event !== null) events.push(event)
        }
        yield { events, serverRows: rows.length }
      }
    },
  }
}
