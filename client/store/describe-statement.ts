import { type PGlite, parse, protocol } from '@electric-sql/pglite'
import type { ResultField, TextDescription } from './text-result.ts'

/** What is done in a transaction is flushed with it. */
const UNFLUSHED = { syncToFs: false }

/** Answers the types of a statement's parameters and columns. */
export async function describeStatement(db: Pick<PGlite, 'describeQuery'>, text: string): Promise<TextDescription> {
  const { queryParams, resultFields } = await db.describeQuery(text)
  return { params: queryParams.map(({ dataTypeID }) => dataTypeID), fields: resultFields.map(fieldOf) }
}

/** Answers the same within the transaction that is open, for whose end PGlite's own call waits. */
export function describeInTransaction(
  db: Pick<PGlite, 'runExclusive' | 'execProtocolStream'>,
  text: string,
): Promise<TextDescription> {
  const { serialize } = protocol
  return db.runExclusive(async () => {
    try {
      await db.execProtocolStream(serialize.parse({ text }), UNFLUSHED)
      const described = await db.execProtocolStream(serialize.describe({ type: 'S' }), UNFLUSHED)
      const fields = described.flatMap((one) =>
        one.name === 'rowDescription' ? (one as unknown as Columns).fields : [],
      )
      return { params: parse.parseDescribeStatementResults(described), fields: fields.map(fieldOf) }
    } finally {
      await db.execProtocolStream(serialize.sync(), UNFLUSHED)
    }
  })
}

interface Columns {
  readonly fields: readonly ResultField[]
}

const fieldOf = ({ name, dataTypeID }: ResultField): ResultField => ({ name, dataTypeID })
