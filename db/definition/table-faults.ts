import { quoteTable } from '../../protocol/index.ts'
import type { CatalogueColumn, CatalogueTable } from './catalogue.ts'
import { strangersIn } from './computed-alike.ts'
import type { DeclaredTable, DeclaredWatch } from './declared-table.ts'
import { makesUp } from './filling-trigger.ts'
import { isLeasable } from './leased-key.ts'
import { replicaDefault } from './replica-default.ts'

const PREFIX = /^[a-z][a-z0-9_-]*$/
/** Prefix of the audience through which a replica learns the outcomes of its mutations. */
const RESERVED_PREFIX = 'client'

/** Built-in types that a replica cannot hold or that print differently from server to server. */
const REFUSED_TYPES = new Set([
  'xml',
  'regclass',
  'regproc',
  'regprocedure',
  'regoper',
  'regoperator',
  'regtype',
  'regrole',
  'regnamespace',
  'regconfig',
  'regdictionary',
  'regcollation',
  'aclitem',
  'refcursor',
  'txid_snapshot',
  'pg_snapshot',
])

function typeFault(column: CatalogueColumn): string | null {
  const hide = `hide column ${column.name} or change its type`
  if (column.typeKind === 'e') return null
  if (column.typeKind === 'd') {
    const { domainBaseSchema: schema, domainBaseName: name, domainBaseKind: kind } = column
    if (isHeld(schema, name, kind)) return null
    return `has column ${column.name} of ${column.type}, and a domain over ${column.domainBase} cannot travel: ${hide}`
  }
  if (isHeld(column.typeSchema, column.typeName, column.typeKind)) return null
  return `has column ${column.name}, whose type ${column.type} cannot live in a replica: ${hide}`
}

/** Tells whether every replica has the type, and prints it as the server does. */
function isHeld(schema: string | null, name: string | null, kind: string | null): boolean {
  return schema === 'pg_catalog' && kind !== 'c' && kind !== 'p' && name !== null && !REFUSED_TYPES.has(name)
}

/** Lists the reasons why a column cannot travel, each as one sentence with its remedy. */
export function columnFaults(declared: DeclaredTable, table: CatalogueTable, column: CatalogueColumn): string[] {
  const faults: string[] = []
  const fault = typeFault(column)
  if (fault) faults.push(fault)
  // Objects of JavaScript take it for their prototype, so that its value would not be sent.
  if (column.name === '__proto__' && declared.write !== null)
    faults.push('column __proto__ cannot be written by replicas: rename it, hide it, or leave write out')
  if (column.generated === null) return faults
  const unseen = column.generatedFrom.filter((name) => !declared.columns.includes(name))
  if (unseen.length > 0) {
    faults.push(
      `generated column ${column.name} is computed from ${unseen.join(', ')}, which does not travel: hide it too`,
    )
  }
  const strangers = strangersOf(declared, table, column)
  if (strangers.length > 0 && table.generatedStays !== null) {
    faults.push(
      `generated column ${column.name} is computed as ${column.generated}, which a replica may not be able to do or may do otherwise (${strangers.join(', ')}), and its values cannot travel, because Postgres below 18 sends them by wal2json alone and ${table.generatedStays}: hide it, make it a plain column that a trigger fills, or let wal2json read the log`,
    )
  }
  return faults
}

function strangersOf(declared: DeclaredTable, table: CatalogueTable, { expression }: CatalogueColumn): string[] {
  const visible = table.columns.filter(({ name }) => declared.columns.includes(name))
  const types = new Set(visible.map(({ type }) => type.replace('[]', '')))
  return expression === null ? [] : strangersIn(expression, types)
}

/** Tells whether a replica computes this generated column itself, because its result cannot differ. */
export function isGeneratedAlike(declared: DeclaredTable, table: CatalogueTable, column: CatalogueColumn): boolean {
  return strangersOf(declared, table, column).length === 0
}

function audienceFaults(declared: DeclaredTable, table: CatalogueTable): string[] {
  if ('constant' in declared.audience) return []
  const { column: name, prefix } = declared.audience
  const faults: string[] = []
  if (!PREFIX.test(prefix)) {
    faults.push(
      `audience prefix ${JSON.stringify(prefix)} must be lower-case letters, digits, "-" or "_", and start with a letter`,
    )
  }
  if (prefix === RESERVED_PREFIX) faults.push('audience prefix "client" is reserved: choose another')
  if (declared.hidden.includes(name))
    faults.push(`audience column ${name} cannot be hidden: every replica knows its audience`)
  const column = table.columns.find((candidate) => candidate.name === name)
  if (column && column.generated !== null) {
    faults.push(
      `audience column ${name} is generated and does not travel: make it a plain column, filled by a trigger if need be`,
    )
  }
  return faults
}

/** Lists the faults of a key column in a table that replicas write, since they make its keys themselves. */
function keyFaults(declared: DeclaredTable, table: CatalogueTable, name: string): string[] {
  const column = table.columns.find((candidate) => candidate.name === name)
  if (!column) return []
  if (isLeasable(column)) return alwaysCountedFaults(declared, table, name)
  if (column.counted)
    return [
      `primary key column ${name} is numbered by the server in a way that replicas cannot follow: make it serial, an identity or a uuid, or set write to 'actions'`,
    ]
  const types = table.columns
    .filter((other) => declared.columns.includes(other.name))
    .map(({ typeSchema, typeName }) => ({ schema: typeSchema, name: typeName }))
  const isMade = table.triggersBefore.some((trigger) => makesUp(trigger, name))
  if (column.default === null ? !isMade : replicaDefault(column, types) !== null) return []
  const source = column.default === null ? 'a trigger' : `the default ${column.default}`
  return [
    `primary key column ${name} is made by ${source}, which replicas do not have, and they must make keys themselves: give it a default that they can compute, such as gen_random_uuid(), or set write to 'actions'`,
  ]
}

/** A row under a leased key is written OVERRIDING SYSTEM VALUE, which would let its author choose every other number too. */
function alwaysCountedFaults(declared: DeclaredTable, table: CatalogueTable, key: string): string[] {
  return table.columns
    .filter(({ name, alwaysCounted }) => alwaysCounted && declared.columns.includes(name))
    .filter(({ name }) => !table.primaryKey.includes(name))
    .map(
      ({ name }) =>
        `column ${name} is GENERATED ALWAYS beside key column ${key}, which replicas number: hide it, make it GENERATED BY DEFAULT, or set write to 'actions'`,
    )
}

/**
 * Refuses child tables: a snapshot and a policy read the rows of children too, while the log names each row by its
 * child.
 */
function childrenFault(table: CatalogueTable): string | null {
  const [child] = table.children
  if (child === undefined) return null
  return (
    `has tables that inherit from it (${table.children.join(', ')}), whose rows are its own to a query and another table's to the log: ` +
    `ALTER TABLE ${child} NO INHERIT ${quoteTable(table)}, make them partitions, or name the children instead`
  )
}

/**
 * Refuses loose collations in keys: a replica takes texts for equal only where they are the same, whatever the
 * collation.
 */
function looseKeyFaults(declared: DeclaredTable, table: CatalogueTable): string[] {
  const keys = [table.primaryKey, ...table.uniques.map(({ columns }) => columns)]
  const names = new Set(keys.flat().filter((name) => declared.columns.includes(name)))
  return table.columns
    .filter(({ name, comparedLoosely }) => comparedLoosely && names.has(name))
    .map(
      ({ name }) =>
        `key column ${name} has a collation under which different texts are equal, and in replicas they are not: give it a deterministic collation (ALTER TABLE … ALTER COLUMN … TYPE … COLLATE "C"), with a unique index on what is to be equal, or hide it if it is not of the primary key`,
    )
}

/**
 * Lists everything that keeps a declared table from being synced, each as one sentence with its remedy; empty when it
 * can be.
 */
export function tableFaults(declared: DeclaredTable, table: CatalogueTable | undefined): string[] {
  if (!table) return ['does not exist: run the migration that creates it, or take it out of the sync definition']
  if (table.kind !== 'r' && table.kind !== 'p') return ['is not a table: only tables can be synced']
  if (table.isPartition) return ['is a partition: sync its root instead']
  if (!table.persistent) return ['is unlogged or temporary and never reaches the log: ALTER TABLE … SET LOGGED']
  const faults: string[] = []
  const inherited = childrenFault(table)
  if (inherited) faults.push(inherited)
  const known = new Set(table.columns.map((column) => column.name))
  for (const name of [...declared.columns, ...declared.hidden]) {
    if (!known.has(name)) faults.push(`has no column ${name}: correct the definition or run the migration that adds it`)
  }
  if (table.primaryKey.length === 0) {
    faults.push(
      'has no primary key, so its rows cannot be told apart: ALTER TABLE … ADD PRIMARY KEY, or take it out of the sync definition',
    )
  }
  if (table.primaryKeyDeferrable) faults.push('has a deferrable primary key: make it NOT DEFERRABLE')
  for (const name of table.primaryKey) {
    if (!declared.columns.includes(name))
      faults.push(`primary key column ${name} must travel: declare it and do not hide it`)
    if (table.columns.find((column) => column.name === name)?.generated)
      faults.push(`primary key column ${name} is generated and does not travel`)
    if (declared.write === 'all') faults.push(...keyFaults(declared, table, name))
  }
  faults.push(...looseKeyFaults(declared, table), ...audienceFaults(declared, table))
  for (const column of table.columns) {
    // Checked even if hidden: the server refuses every update of a published table with full identity that has such a
    // column.
    if (column.generatedVirtual)
      faults.push(`has a virtual generated column ${column.name}, which Postgres cannot publish: make it STORED`)
    if (declared.columns.includes(column.name)) faults.push(...columnFaults(declared, table, column))
  }
  return faults
}

/** Lists what keeps a table from being watched. */
export function watchFaults(declared: DeclaredWatch, table: CatalogueTable | undefined): string[] {
  if (!table) return ['does not exist: run the migration that creates it, or take it out of `watch`']
  if (table.kind !== 'r' || table.isPartition) return ['is no plain table: only those can be watched']
  if (!table.persistent) return ['is unlogged or temporary and never reaches the log: ALTER TABLE … SET LOGGED']
  const inherited = childrenFault(table)
  if (inherited) return [inherited]
  const user = table.columns.find(({ name }) => name === declared.user)
  if (user?.typeName === 'bpchar')
    return [`has a user column ${user.name} of type ${user.type}, which pads every id with blanks: make it text`]
  if (declared.user === null || user !== undefined) return []
  return [`has no column ${declared.user}: correct \`watch\` or run the migration that adds it`]
}
