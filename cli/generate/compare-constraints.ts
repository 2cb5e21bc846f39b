import { quoteIdentifier, quoteTable } from '../../protocol/sql-identifier.ts'
import type { Choices } from './choices.ts'
import type { ColumnComparison } from './compare-columns.ts'
import { alter, type Step, shownTable } from './step.ts'
import type { ConstraintFacts, TableFacts } from './table-facts.ts'

const KINDS: Readonly<Record<string, string>> = {
  p: 'primary key',
  u: 'unique constraint',
  f: 'foreign key',
  c: 'check',
  x: 'exclusion constraint',
}
/** The demand of a new constraint on the rows that are there. */
const ASKS: Readonly<Record<string, string>> = {
  p: 'FAILS, and changes nothing, where two rows share it',
  u: 'FAILS, and changes nothing, where two rows share it',
  f: 'FAILS, and changes nothing, where a row refers to none',
  c: 'FAILS, and changes nothing, where a row does not satisfy it',
  x: 'FAILS, and changes nothing, where two rows exclude each other',
}

/**
 * Compares constraints and indexes by what they say, because their names are a matter of who made them.
 *
 * Those that no entity has stay unless dropped by name: entities cannot express them all.
 */
export function compareConstraints(
  now: TableFacts | null,
  wanted: TableFacts,
  choices: Choices,
): ColumnComparison & {
  readonly foreignKeys: readonly Step[]
} {
  const table = shownTable(wanted)
  const kept = now?.constraints ?? []
  const missing = wanted.constraints.filter((one) => !kept.some(({ meaning }) => meaning === one.meaning))
  const spare = kept.filter((one) => !wanted.constraints.some(({ meaning }) => meaning === one.meaning))
  const replaced = spare.filter((old) => missing.some((next) => replaces(next, old)))
  const isDropped = ({ name }: { name: string }) => choices.drops.includes(`${table}.${name}`)
  const columns = new Set(wanted.columns.map(({ name }) => name))
  // Those over a column that goes, go with it.
  const alone = spare.filter((one) => !replaced.includes(one) && one.columns.every((name) => columns.has(name)))
  const key = missing.find(({ kind }) => kind === 'p' && kept.some((old) => old.kind === 'p'))
  if (key) {
    return {
      steps: [],
      foreignKeys: [],
      notes: [],
      questions: [
        `The primary key of table ${table} is another than its entity's, ${key.definition}: change it by hand, in a file of tidemark migration:create.`,
      ],
    }
  }
  const dropSteps = [...replaced, ...alone.filter(isDropped)].map(({ name, kind }) => ({
    statement: alter(wanted, `DROP CONSTRAINT ${quoteIdentifier(name)}`),
    says: `Drops ${KINDS[kind]} ${name} of ${table}; rows stay what they are.`,
  }))
  const add = (one: ConstraintFacts): Step => ({
    statement: alter(wanted, `ADD CONSTRAINT ${quoteIdentifier(freeName(one, kept))} ${one.definition}`),
    says: `Adds ${KINDS[one.kind]} ${one.name} to ${table}.${now === null ? '' : ` ${ASKS[one.kind]}.`}`,
  })
  const indexes = compareIndexes(now, wanted, choices)
  return {
    steps: [...dropSteps, ...missing.filter(({ kind }) => kind !== 'f').map(add), ...indexes.steps],
    foreignKeys: missing.filter(({ kind }) => kind === 'f').map(add),
    questions: [],
    notes: [
      ...alone
        .filter((one) => !isDropped(one) && !choices.keeps.includes(`${table}.${one.name}`))
        .map(
          ({ name, kind }) =>
            `${sentence(KINDS[kind])} ${name} of ${table} stays, though no entity has it: --drop ${table}.${name} drops it.`,
        ),
      ...indexes.notes,
    ],
  }
}

/** A foreign key, or a check by its name, that an entity now states otherwise. */
function replaces(next: ConstraintFacts, old: ConstraintFacts): boolean {
  if (next.kind !== old.kind) return false
  return next.name === old.name || (next.kind === 'f' && next.columns.join() === old.columns.join())
}

/** The name that the entities give, unless the table has used it for another. */
function freeName(one: ConstraintFacts, kept: readonly ConstraintFacts[]): string {
  return kept.some((old) => old.name === one.name && !replaces(one, old)) ? `${one.name}_new` : one.name
}

/** An index without its name. */
const indexMeaning = (definition: string) => definition.replace(/ INDEX (?:"(?:[^"]|"")*"|\S+) ON /, ' INDEX ON ')

function compareIndexes(now: TableFacts | null, wanted: TableFacts, choices: Choices) {
  const table = shownTable(wanted)
  const kept = now?.indexes ?? []
  const missing = wanted.indexes.filter(
    (one) => !kept.some((old) => indexMeaning(old.definition) === indexMeaning(one.definition)),
  )
  const spare = kept.filter(
    (old) => !wanted.indexes.some((one) => indexMeaning(one.definition) === indexMeaning(old.definition)),
  )
  const goes = spare.filter(
    ({ name }) => choices.drops.includes(`${table}.${name}`) || missing.some((one) => one.name === name),
  )
  const steps: Step[] = [
    ...goes.map(({ name }) => ({
      statement: `DROP INDEX ${quoteTable({ schema: wanted.schema, name })}`,
      says: `Drops index ${name} of ${table}; rows stay what they are.`,
    })),
    ...missing.map(({ name, definition }) => ({
      statement: definition,
      says: `Adds index ${name} to ${table}.${definition.startsWith('CREATE UNIQUE') && now !== null ? ` ${ASKS.u}.` : ''}`,
    })),
  ]
  const notes = spare
    .filter((one) => !goes.includes(one) && !choices.keeps.includes(`${table}.${one.name}`))
    .map(({ name }) => `Index ${name} of ${table} stays, though no entity has it: --drop ${table}.${name} drops it.`)
  return { steps, notes }
}

const sentence = (text = '') => text.charAt(0).toUpperCase() + text.slice(1)
