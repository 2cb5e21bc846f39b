import { createHash } from 'node:crypto'
import { expect, it } from 'vitest'
import { z } from 'zod'
import {
  definitionAnswerSchema,
  frameDownSchema,
  frameUpSchema,
  LIMITS,
  leasesAnswerSchema,
  leasesRequestSchema,
  manifestSchema,
  migrationsAnswerSchema,
  outcomesAnswerSchema,
  outcomesRequestSchema,
  pushAnswerSchema,
  pushedMutationSchema,
  pushRequestSchema,
} from './index.ts'

const SCHEMAS = [
  frameUpSchema,
  frameDownSchema,
  manifestSchema,
  pushRequestSchema,
  pushedMutationSchema,
  pushAnswerSchema,
  outcomesRequestSchema,
  outcomesAnswerSchema,
  definitionAnswerSchema,
  migrationsAnswerSchema,
  leasesRequestSchema,
  leasesAnswerSchema,
]

/** One entry for each version of the wire, with the changes it made. */
const HASHES: Readonly<Record<number, string>> = {
  // The read path: hello, stream, ack, token; welcome, batch, part, fragment, rehydrate, fault, renewed, audiences, restarted; manifest.
  1: 'f4ae492ede7fbd13',
  // Writing: push and outcomes; hello says whether anything is unsettled, stream up to where rows are wanted; mutation notes and markers.
  2: '6235461322602d91',
  // A definition tells of each table since which version its rows hold, so that a change of others costs it nothing; which
  // generated columns travel; and how the server checks what is unique. A replica says which tables it cannot hold. A number at
  // or below its client's floor is answered `settled`.
  3: '162b379920d4a48f',
  // A session that may see nothing asks for the definition, because no snapshot brings it.
  4: 'f9b6b45587b69e9d',
  // Which steps lead from version to version of the definition, and in the names of which one a mutation is said.
  5: '1b4ed7c60a0376ff',
  // Which migration a page knows last, and how far a replica has followed the schema.
  6: '2355ed633402fbaf',
  // How often a replica tried again what failed of the schema, and what became of the names of tables that are loaded.
  7: 'bda91b8efdcb126b',
  // Where in its transaction a version of the definition comes in force.
  8: '925f4f035986f39e',
  // How values of a column become those of its next type; how the audience that Tidemark keeps follows from a row.
  9: '96800198f20b6263',
  // How old the work is that a replica could not send, and how much failed; which columns of keys are numbered by leases, how these
  // are asked for, and why such a key is refused.
  10: '8199e7dbe89e1467',
  // Which keys an action took where it was called, so that the server's run gets the same.
  11: 'a1f080af57c0e740',
}

it('a change of the wire is a change of its version', () => {
  const shapes = SCHEMAS.map((schema) => z.toJSONSchema(schema, { unrepresentable: 'any' }))
  const hash = createHash('sha256').update(JSON.stringify(shapes)).digest('hex').slice(0, 16)
  expect(hash, 'the wire changed: count LIMITS.protocolVersion up and record the new hash').toBe(
    HASHES[LIMITS.protocolVersion],
  )
})
