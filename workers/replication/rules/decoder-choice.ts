import { type Definition, KEPT_AUDIENCE, TidemarkError } from '../../../protocol/index.ts'

export type DecoderName = 'wal2json' | 'pgoutput'

export interface DecoderFacts {
  /** The reason why wal2json cannot be loaded; null where it can. */
  readonly wal2jsonFault: string | null
  /** True from wal2json 2.6 on. */
  readonly numericAsString: boolean
  /** Ids of synced tables that are partitioned. */
  readonly partitioned: readonly string[]
  /** True where pgoutput sends stored generated columns, as from Postgres 18 on. */
  readonly sendsGenerated: boolean
}

export interface DecoderChoice {
  readonly decoder: DecoderName
  readonly reason: string
}

const CAN_BE_NAN = /^(numeric|real|double precision)(\(|$)/

/** Finds the columns whose NaN and infinities an old wal2json turns into null. */
function columnsWithNaN(definition: Definition): string[] {
  return definition.tables.flatMap((table) =>
    table.columns
      .filter((column) => column.generated === null && CAN_BE_NAN.test(column.type))
      .map((column) => `${table.id}.${column.name}`),
  )
}

/** Answers the reason why wal2json cannot capture this definition; null where it can. */
export function wal2jsonFault(facts: DecoderFacts, definition: Definition): string | null {
  if (facts.wal2jsonFault !== null) return facts.wal2jsonFault
  if (facts.partitioned.length > 0) return `wal2json names partitions, not their root (${facts.partitioned.join(', ')})`
  const columns = columnsWithNaN(definition)
  if (!facts.numericAsString && columns.length > 0) {
    return `wal2json is older than 2.6 and loses NaN and infinities (${columns.slice(0, 3).join(', ')})`
  }
  return null
}

/** Answers the reason why pgoutput cannot capture this definition; null where it can. */
export function pgoutputFault(
  { sendsGenerated }: Pick<DecoderFacts, 'sendsGenerated'>,
  definition: Definition,
): string | null {
  if (sendsGenerated) return null
  const columns = definition.tables.flatMap((table) =>
    table.columns
      .filter((column) => column.serverGenerated && column.name !== KEPT_AUDIENCE)
      .map((column) => `${table.id}.${column.name}`),
  )
  if (columns.length === 0) return null
  return `pgoutput sends no generated columns below Postgres 18 (${columns.slice(0, 3).join(', ')}): hide them, make them plain columns that a trigger fills, or let wal2json read the log`
}

/**
 * Chooses the decoder: `auto` takes wal2json where it can capture everything, else pgoutput, and says why. Throws
 * `misconfigured` where the decoder that was asked for cannot, or neither.
 */
export function chooseDecoder(asked: 'auto' | DecoderName, facts: DecoderFacts, definition: Definition): DecoderChoice {
  const other = pgoutputFault(facts, definition)
  if (asked === 'pgoutput' && other !== null) throw new TidemarkError('misconfigured', `${other}.`)
  if (asked === 'pgoutput') return { decoder: 'pgoutput', reason: 'pgoutput was asked for' }
  const fault = wal2jsonFault(facts, definition)
  if (asked === 'auto' && fault !== null && other !== null)
    throw new TidemarkError('misconfigured', `${fault}, and ${other}.`)
  if (fault === null) {
    return { decoder: 'wal2json', reason: asked === 'auto' ? 'wal2json can be loaded' : 'wal2json was asked for' }
  }
  if (asked === 'auto') return { decoder: 'pgoutput', reason: `auto took pgoutput: ${fault}` }
  throw new TidemarkError('misconfigured', `${fault}. Set decoder to 'auto' or 'pgoutput'.`)
}
