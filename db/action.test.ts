import { expect, test } from 'vitest'
import { z } from 'zod'
import { action, readArguments } from './action.ts'

const schema = z.strictObject({ name: z.string() })
const run = async () => undefined
const renamed = action(schema, run, {
  before: (args) => ({ name: (args as { old: { title: string } }).old.title }),
})

test('MIG-02 ACT-R5 arguments that the schema refuses are mapped, and checked by it then', async () => {
  expect(await readArguments(renamed, { name: 'a' })).toEqual({ name: 'a' })
  expect(await readArguments(renamed, { old: { title: 'a' } })).toEqual({ name: 'a' })
})

test('ACT-R5 what neither leads to is refused as it came, also where the mapping throws', async () => {
  for (const args of [{ old: { title: 1 } }, {}, null]) {
    await expect(readArguments(renamed, args)).rejects.toThrow(schema.safeParse(args).error?.message ?? '')
    await expect(readArguments(action(schema, run), args)).rejects.toThrow(z.ZodError)
  }
})

test('ACT-R5 a mapping is a function', () => {
  expect(() => action(schema, run, { before: {} as never })).toThrow(/before is a function/)
})
