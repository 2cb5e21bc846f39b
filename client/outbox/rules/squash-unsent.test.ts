import { describe, expect, test } from 'vitest'
import type { Row } from '../../../protocol/index.ts'
import { captured, FOLDER, folder, NOTE, note, tables } from '../../../testing/replica/writable-rows.ts'
import { patchOfWrites, patchTables } from '../../mutations/rules/patch-of-writes.ts'
import type { UnsentMutations } from '../../store/rows/sending-rows.ts'
import { squashUnsent } from './squash-unsent.ts'

const facts = patchTables(tables)

type Write = readonly [table: string, before: Row | null, after: Row | null]

/** Makes the unsent mutations of these writes, numbered from 1; one that is given as sealed may not be changed. */
function unsent(
  ...mutations: readonly { readonly writes: readonly Write[]; readonly sealed?: boolean }[]
): UnsentMutations {
  let position = 0
  const writes = mutations.flatMap(({ writes }, index) =>
    writes.map(([table, before, after]) => {
      position += 1
      return { position, counter: index + 1, cascade: false, ...captured(table, before, after) }
    }),
  )
  const fresh = mutations.map(({ sealed = false }, index) => ({
    counter: index + 1,
    kind: 'patch' as const,
    sealed,
    effective: true,
    origin: 'local',
    tab: null,
    patch: patchOfWrites(
      writes.filter(({ counter }) => counter === index + 1),
      facts,
      () => null,
    ),
  }))
  return { last: mutations.length, fresh, writes, waiting: [] }
}

describe('OUT-12 OBX-R2 mutations that nobody has been sent', () => {
  test('become one where they write one row, with what it is in the end', () => {
    const made = note('1')
    const named = { ...made, title: 'x' }
    const { squashes } = squashUnsent(
      unsent({ writes: [[NOTE, null, made]] }, { writes: [[NOTE, made, named]] }),
      tables,
    )
    expect(squashes).toMatchObject([{ counter: 1, squashed: [2], rows: [{ o: 'i', d: { title: 'x' } }] }])
  })

  test('stay apart where one of them may not be changed any more, and what builds on it says so', () => {
    const made = note('1')
    const named = { ...made, title: 'x' }
    const { squashes, after } = squashUnsent(
      unsent({ writes: [[NOTE, null, made]], sealed: true }, { writes: [[NOTE, made, named]] }),
      tables,
    )
    expect(squashes.flatMap(({ squashed }) => squashed)).toEqual([])
    expect(after.get(2)).toEqual([1])
  })

  test('are put in an order that constraints allow: what a row refers to comes before it', () => {
    const alone = note('1')
    const within = { ...alone, folder: 'f' }
    const { squashes } = squashUnsent(
      unsent(
        {
          writes: [
            [NOTE, null, alone],
            [FOLDER, null, folder('f')],
          ],
        },
        { writes: [[NOTE, alone, within]] },
      ),
      tables,
    )
    expect(squashes).toMatchObject([{ counter: 1, squashed: [2] }])
    expect(squashes[0]?.rows.map(({ o, t }) => [o, t])).toEqual([
      ['i', FOLDER],
      ['i', NOTE],
    ])
  })

  test('name what they build on by the one that it went into', () => {
    const made = note('1')
    const named = { ...made, title: 'x' }
    const other = { ...named, rank: '2' }
    const { after } = squashUnsent(
      unsent(
        { writes: [[NOTE, null, made]] },
        { writes: [[NOTE, made, named]] },
        { writes: [[NOTE, named, other]], sealed: true },
      ),
      tables,
    )
    expect(after.get(3)).toEqual([1])
  })
})
