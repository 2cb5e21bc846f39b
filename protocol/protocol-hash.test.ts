import { createHash } from 'node:crypto'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { frameDownSchema, frameUpSchema, LIMITS, manifestSchema } from './index.ts'

/** One line for each version of the wire: what it changed. */
const HASHES: Readonly<Record<number, string>> = {
  // The read path: hello, stream, ack, token; welcome, batch, part, fragment, rehydrate, fault, renewed; manifest.
  1: 'd4c7ea6884eb434d',
}

it('a change of the wire is a change of its version', () => {
  const shapes = [frameUpSchema, frameDownSchema, manifestSchema].map((schema) =>
    z.toJSONSchema(schema, { unrepresentable: 'any' }),
  )
  const hash = createHash('sha256').update(JSON.stringify(shapes)).digest('hex').slice(0, 16)
  expect(hash, 'the wire changed: count LIMITS.protocolVersion up and record the new hash').toBe(
    HASHES[LIMITS.protocolVersion],
  )
})
