import { type Definition, type DefinitionInForce, TidemarkError, typesOf } from '../../protocol/index.ts'
import type { Executor } from '../store/copies.ts'
import { replaceTables, retiredName } from '../store/definition-ddl.ts'
import { heldDefinition, type Refused } from '../store/held-tables.ts'
import { storageFault } from '../store/storage-fault.ts'

/** A fault of the local database over the rows of one table. */
export class TableFault extends TidemarkError {
  readonly table: string

  constructor(table: string, cause: unknown) {
    super('rehydrate-required', `The replica cannot take the server’s rows of ${table}: ${messageOf(cause)}`, { cause })
    this.table = table
  }
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error))

/** Answers whether the error would come again: not where the device, memory or a closed database is at fault. */
export function isLasting(error: unknown): boolean {
  if (error instanceof TidemarkError || storageFault(error) !== null) return false
  return !/closed|terminated|memory|stack/i.test(messageOf(error))
}

/** Finds the tables of a definition that cannot be held in the place of a copy, or are known not to be. */
export async function refusedTables(
  tx: Executor,
  old: { readonly definition: DefinitionInForce; readonly refused: Refused } | null,
  { definition }: DefinitionInForce,
  known: Refused,
): Promise<Refused> {
  const before = old && heldDefinition(old.definition.definition, old.refused)
  return { ...known, ...(await unmakeableTables(tx, before, heldDefinition(definition, known))) }
}

/**
 * Makes the tables that are not known to be refused; only where that fails is it found out which others are, and the rest
 * is made. Answers those that are left out.
 */
export async function makeHeld(
  tx: Executor,
  known: Refused,
  { make, findRefused }: { make(refused: Refused): Promise<void>; findRefused(): Promise<Refused> },
): Promise<Refused> {
  await tx.exec('SAVEPOINT making')
  try {
    await make(known)
    await tx.exec('RELEASE SAVEPOINT making')
    return known
  } catch (error) {
    if (!isLasting(error)) throw error
    await tx.exec('ROLLBACK TO SAVEPOINT making; RELEASE SAVEPOINT making')
  }
  const refused = await findRefused()
  await make(refused)
  return refused
}

/** Finds the tables that cannot be made here, by making them in the place of the others and undoing it. */
async function unmakeableTables(tx: Executor, before: Definition | null, after: Definition): Promise<Refused> {
  if ((await rehearse(tx, before, after)) === null) return {}
  const refused: Record<string, string> = {}
  for (const table of after.tables) {
    const alone = { types: typesOf(table.columns, after.types), tables: [table] }
    const fault = await rehearse(tx, before, alone)
    if (fault !== null) refused[table.id] = fault
  }
  return refused
}

async function rehearse(tx: Executor, before: Definition | null, after: Definition): Promise<string | null> {
  await tx.exec('SAVEPOINT rehearsal')
  try {
    await tx.exec(replaceTables(before, after, retiredName()).statements.join('\n'))
    return null
  } catch (error) {
    // A local name in the way is reported where the tables are made.
    if (/already exists/.test(messageOf(error))) return null
    if (!isLasting(error)) throw error
    return messageOf(error)
  } finally {
    await tx.exec('ROLLBACK TO SAVEPOINT rehearsal; RELEASE SAVEPOINT rehearsal')
  }
}

/** Words the warning about a table, which is given once. */
export const refusal = (table: string, cause: string): string =>
  `Table ${table} cannot be held here and is left out until its definition or the history changes: ${cause}`
