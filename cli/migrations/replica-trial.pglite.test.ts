import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Definition } from '../../protocol/index.ts'
import { type ReplicaTrial, startReplicaTrial } from './replica-trial.ts'

const column = (name: string, type: string, more: object = {}) => ({
  name,
  type,
  notNull: false,
  generated: null,
  ...more,
})

function defineTable(name: string, columns: Definition['tables'][number]['columns'], more: object = {}) {
  return {
    id: `public.${name}`,
    schema: 'public',
    name,
    columns: [column('id', 'text', { notNull: true }), ...columns],
    primaryKey: ['id'],
    audience: { constant: 'all' as const },
    priority: 1,
    uniques: [],
    indexes: [],
    foreignKeys: [],
    ...more,
  }
}

let trial: ReplicaTrial
beforeAll(async () => {
  trial = await startReplicaTrial()
})
afterAll(() => trial.close())

test('FLD-59 VAL-R9 all that cannot be made in a replica is said at once, table by table, with what is missing', async () => {
  const words = `to_tsvector('public.plain'::regconfig, body)`
  const faults = await trial.tryDefinition({
    types: [{ schema: 'public', name: 'mood', statement: `CREATE TYPE "public"."mood" AS ENUM ('sad')` }],
    tables: [
      defineTable('page', [column('body', 'text'), column('words', 'tsvector', { generated: words })]),
      defineTable('place', [column('at', 'public.geometry')]),
      defineTable('other', [column('note', 'text', { default: `'x'::text` }), column('mood', 'public.mood')], {
        uniques: [{ name: 'other_note_key', columns: ['note'], deferrable: true }],
        indexes: [
          { name: 'other_plain', statement: 'CREATE INDEX other_plain ON public.other USING btree (note)' },
          { name: 'other_own', statement: 'CREATE INDEX other_own ON public.other USING btree (public.own(note))' },
        ],
      }),
    ],
  })
  expect(faults).toEqual([
    expect.stringMatching(/^Table public\.page cannot be made in a replica: .*public\.plain.* Hide/),
    expect.stringMatching(/^Table public\.place cannot .*public\.geometry.* Hide/),
    expect.stringMatching(/^Index other_own of table public\.other cannot .*public\.own/),
  ])
})

test('MIG-05 VAL-R9 each column that cannot be made is named with its expression', async () => {
  const columns = [
    column('twice', 'text', { generated: 'public.own(body)' }),
    column('body', 'text'),
    column('place', 'integer', { default: 'public.near()' }),
  ]
  expect(await trial.tryDefinition({ types: [], tables: [defineTable('page', columns)] })).toEqual([
    expect.stringMatching(/^Table public\.page .*: column "place" integer DEFAULT \(public\.near\(\)\): .* Hide/),
    expect.stringMatching(/^Table public\.page .*: column "twice" text GENERATED .*public\.own\(body\).*: .* Hide/),
  ])
})

test('FLD-59 VAL-R9 a definition that replicas can make has no fault', async () => {
  const parent = defineTable('parent', [])
  const child = defineTable('child', [column('parent', 'text')], {
    foreignKeys: [
      {
        name: 'child_parent',
        statement:
          'ALTER TABLE public.child ADD CONSTRAINT child_parent FOREIGN KEY (parent) REFERENCES public.parent (id) NOT VALID',
      },
    ],
  })
  expect(await trial.tryDefinition({ types: [], tables: [child, parent] })).toEqual([])
})
