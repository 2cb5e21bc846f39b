import { customType, integer, type PgTable, pgSchema, pgTable, text } from 'drizzle-orm/pg-core'
import { defineSync, type Sync, table } from '../../db/index.ts'

/** Only names matter here; types come from the catalogue. Drizzle assigns to properties: none may be `__proto__`. */
const columns = (...names: string[]) =>
  Object.fromEntries(
    names.map((name, index) => [`column${index}`, customType<{ data: string }>({ dataType: () => 'text' })(name)]),
  )
const everyone = (of: PgTable) => table(of, { audience: 'all' })

const TYPED =
  `id small big flag single name_of fixed short long day clock zoned moment instant span hours bytes bits more_bits ident
  doc bin path_of address network mac mac8 spot way area ring box_of segment mood moods positive ints texts deep stamps span4 span8
  days many words question place seen`.split(/\s+/)

const parent = pgTable('parent', { a: integer('a'), b: text('b'), note: text('note') })

/** Syncs the tables of the corpus that Tidemark can sync; `numbers` only where the decoder tells NaN from NULL. */
export function corpusSync(numbers: boolean): Sync {
  return defineSync({
    tables: {
      typed: everyone(pgTable('typed', columns(...TYPED))),
      parent: table(parent, { audience: { column: parent.b, prefix: 'org' } }),
      child: everyone(pgTable('child', columns('id', 'a', 'b', 'word', 'doubled'))),
      stored: everyone(pgTable('stored', columns('id', 'out_of_line', 'compressed', 'plain'))),
      odd: everyone(
        pgSchema('Odd, schema.name').table(
          'Tä\\ble "x" *',
          columns(
            'Key, 1',
            'select',
            '__proto__',
            'a.b\\c',
            'a_name_of_sixty_three_bytes_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx',
          ),
        ),
      ),
      ...(numbers
        ? {
            numbers: everyone(
              pgTable('numbers', columns('id', 'plain', 'scaled', 'negative_scale', 'double', 'single', 'list')),
            ),
          }
        : {}),
    },
  })
}
