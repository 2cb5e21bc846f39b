import { tableId } from '../../protocol/index.ts'
import type { ExistingTable, ForeignKey } from './existing-table.ts'

/** What could say who sees the rows of a table. */
export type Proposal =
  /** A column of its own; `alternatives` are other columns that would do. */
  | {
      readonly kind: 'column'
      readonly column: string
      readonly prefix: string
      readonly alternatives: readonly string[]
    }
  /** The row that it belongs to, over one or more references. */
  | {
      readonly kind: 'via'
      readonly steps: readonly Step[]
      readonly prefix: string
      readonly alternatives: readonly string[]
    }
  | { readonly kind: 'open' }

/** One reference on the way to an audience. */
export interface Step {
  readonly table: string
  readonly column: string
  readonly parent: string
}

/** What rows belong to, known by the tables that name it. */
export interface Owner {
  readonly prefix: string
  /** The id of the table that it is a row of; null where columns of one name refer to nothing. */
  readonly parent: string | null
  /** The columns that name it, by table. */
  readonly columns: ReadonlyMap<string, readonly string[]>
  /** 2 for a tenant, 1 for a person, 0 for anything else. */
  readonly rank: number
}

export interface Proposals {
  readonly byTable: ReadonlyMap<string, Proposal>
  /** The most telling first. Those of rank 0 are named to whoever decides, and propose nothing. */
  readonly owners: readonly Owner[]
}

const TENANT =
  /^(org|organi[sz]ation|tenant|workspace|account|company|team|group|shop|store|site|school|clinic|household|club|agency|branch)(s|es)?$/
const PERSON =
  /^(user|app_?user|person|people|customer|client|member|profile|owner|employee|staff|patient|student|contact)s?$/
/** Prefix of the audience through which replicas learn of their own writes. */
const RESERVED = 'client'

/**
 * Proposes an audience for each table, and guesses none silently: each is a proposal for someone to decide.
 *
 * `travelling` are the columns that may travel, by table; only those can be audiences.
 */
export function proposeAudiences(
  tables: readonly ExistingTable[],
  travelling: ReadonlyMap<string, readonly string[]>,
): Proposals {
  const owners = findOwners(tables, travelling)
  const persons = new Set(owners.flatMap(({ rank, parent }) => (rank === 1 && parent !== null ? [parent] : [])))
  const byTable = new Map<string, Proposal>()
  const columnsOf = (id: string, rank: number) =>
    owners.filter((owner) => owner.rank === rank).flatMap((owner) => ownColumn(owner, id))
  const ids = tables.map(({ catalogue }) => tableId(catalogue))
  const propose = (id: string, own: readonly { column: string; prefix: string }[], others: readonly string[] = []) => {
    const [first, ...rest] = own
    const alternatives = [...new Set([...rest.map(({ column }) => column), ...others])]
    if (first) byTable.set(id, { kind: 'column', ...first, alternatives })
  }
  for (const id of ids)
    propose(id, columnsOf(id, 2), columnsOf(id, 2).length > 0 ? columnsOf(id, 1).map(({ column }) => column) : [])
  const open = ids.filter((id) => !byTable.has(id))
  // A person is named where they wrote a row, too: where it also belongs to a tenant by something else, that decides.
  const ofTenant = new Map(
    open.flatMap((id) => {
      const way = persons.has(id) ? null : findWay(id, tables, byTable, persons)
      return way ? [[id, { ...way, alternatives: columnsOf(id, 1).map(({ column }) => column) }] as const] : []
    }),
  )
  for (const id of open) if (!ofTenant.has(id)) propose(id, columnsOf(id, 1))
  for (const id of open)
    if (!byTable.has(id)) byTable.set(id, ofTenant.get(id) ?? findWay(id, tables, byTable) ?? { kind: 'open' })
  return { byTable, owners }
}

/**
 * Where several columns name the same owner, only one called like it can be told from the rest; and a person is named
 * for many reasons other than that the row is theirs.
 */
function ownColumn({ columns, prefix, parent, rank }: Owner, table: string): { column: string; prefix: string }[] {
  const names = columns.get(table) ?? []
  const isOnly = names.length === 1 && (rank > 1 || parent === table)
  const column = names.find((name) => prefixOf(baseOf(name)) === prefix) ?? (isOnly ? names[0] : undefined)
  return column === undefined ? [] : [{ column, prefix }]
}

function findOwners(
  tables: readonly ExistingTable[],
  travelling: ReadonlyMap<string, readonly string[]>,
): readonly Owner[] {
  const found = new Map<string, { base: string; parent: string | null; columns: Map<string, string[]> }>()
  const note = (key: string, base: string, parent: string | null, table: string, column: string) => {
    const owner = found.get(key) ?? { base, parent, columns: new Map() }
    found.set(key, owner)
    const columns = owner.columns.get(table) ?? []
    if (!columns.includes(column)) columns.push(column)
    owner.columns.set(table, columns)
  }
  const ids = new Map(tables.map(({ catalogue }) => [tableId(catalogue), catalogue]))
  const mayBe = (id: string, column: string) =>
    travelling.get(id)?.includes(column) === true &&
    ids.get(id)?.columns.find(({ name }) => name === column)?.generated === null
  for (const { catalogue } of tables) {
    const id = tableId(catalogue)
    for (const { column, parent } of referencesOf(catalogue.foreignKeys)) {
      const key = ids.get(parent)?.primaryKey
      if (parent === id || key?.length !== 1 || !mayBe(id, column)) continue
      note(parent, baseOf(ids.get(parent)?.name ?? ''), parent, id, column)
      // Its own row belongs to it as well.
      if (key[0] !== undefined && mayBe(parent, key[0]))
        note(parent, baseOf(ids.get(parent)?.name ?? ''), parent, parent, key[0])
    }
  }
  nameAlike(found, tables, mayBe, note)
  const owners = [...found.values()].map(({ base, parent, columns }): Owner => {
    const bases = [...columns.values()].flat().map(baseOf)
    const telling = bases.filter((one) => rankOf(one) > 0)
    const called = mostCommon(telling.length > 0 ? telling : rankOf(base) > 0 ? [] : bases) ?? singular(base)
    return { prefix: prefixOf(called), parent, columns, rank: Math.max(rankOf(base), rankOf(called)) }
  })
  const telling = owners.filter(({ rank, columns }) => rank > 0 || columns.size > 3)
  return telling.sort((a, b) => b.rank - a.rank || b.columns.size - a.columns.size || (a.prefix < b.prefix ? -1 : 1))
}

/** The word that is there most often, the empty one aside; of several the first. */
function mostCommon(words: readonly string[]): string | null {
  const counts = new Map<string, number>()
  for (const word of words.filter((one) => one !== '')) counts.set(word, (counts.get(word) ?? 0) + 1)
  const most = Math.max(...counts.values())
  return [...counts].find(([, count]) => count === most)?.[0] ?? null
}

type Note = (key: string, base: string, parent: string | null, table: string, column: string) => void

/** A column without a reference is taken for one of an owner that others refer to by its name, or is a tenant's by its own. */
function nameAlike(
  found: ReadonlyMap<string, { readonly base: string; readonly columns: ReadonlyMap<string, readonly string[]> }>,
  tables: readonly ExistingTable[],
  mayBe: (table: string, column: string) => boolean,
  note: Note,
): void {
  const known = [...found].map(([key, { base, columns }]) => ({
    key,
    base,
    names: new Set([...columns.values()].flat()),
  }))
  for (const { catalogue } of tables) {
    const id = tableId(catalogue)
    const referring = new Set(referencesOf(catalogue.foreignKeys).map(({ column }) => column))
    for (const { name } of catalogue.columns) {
      if (referring.has(name) || !mayBe(id, name) || catalogue.primaryKey.join() === name || !/_?id$/i.test(name))
        continue
      const owner = known.find(({ names }) => names.has(name))
      if (owner) note(owner.key, owner.base, found.has(owner.key) ? owner.key : null, id, name)
      else if (rankOf(baseOf(name)) > 0) note(`name ${baseOf(name)}`, baseOf(name), null, id, name)
    }
  }
}

/** Says who did something to a row, and not whose it is. */
const WHO_DID_IT = /_?by(_?id)?$/i

/** Finds the shortest way from a table to one that has an audience, over references that are never NULL before others. */
function findWay(
  from: string,
  tables: readonly ExistingTable[],
  byTable: ReadonlyMap<string, Proposal>,
  /** Given where a way must be certain: it goes over none of these, and over no reference that may be NULL. */
  persons?: ReadonlySet<string>,
): Extract<Proposal, { kind: 'via' }> | null {
  const ids = new Map(tables.map(({ catalogue }) => [tableId(catalogue), catalogue]))
  let ways: Step[][] = [[]]
  const seen = new Set([from])
  while (ways.length > 0) {
    const next: Step[][] = []
    for (const way of ways) {
      const at = way.at(-1)?.parent ?? from
      const table = ids.get(at)
      if (!table) continue
      const references = referencesOf(table.foreignKeys).map((one) => ({
        ...one,
        always: table.columns.find(({ name }) => name === one.column)?.notNull === true,
      }))
      references.sort((a, b) => Number(b.always) - Number(a.always))
      for (const { column, parent, always } of references) {
        if (seen.has(parent) || WHO_DID_IT.test(column) || (persons && (!always || persons.has(parent)))) continue
        const step = [...way, { table: at, column, parent }]
        const proposal = byTable.get(parent)
        if (proposal?.kind === 'column') return { kind: 'via', steps: step, prefix: proposal.prefix, alternatives: [] }
        next.push(step)
      }
    }
    for (const way of next) seen.add(way.at(-1)?.parent ?? '')
    ways = next
  }
  return null
}

/** The references of one column each. */
function referencesOf(keys: readonly ForeignKey[]): { readonly column: string; readonly parent: string }[] {
  return keys.flatMap(({ columns, parentSchema, parentName }) => {
    const [column] = columns
    return columns.length === 1 && column !== undefined
      ? [{ column, parent: tableId({ schema: parentSchema, name: parentName }) }]
      : []
  })
}

const rankOf = (base: string) => (TENANT.test(base) ? 2 : PERSON.test(base) ? 1 : 0)

/** The word that a column or a table is called by, without `_id`: `org` of `orgId`. */
const baseOf = (name: string) =>
  name
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .replace(/_?(id|uuid)$/, '')

const singular = (word: string) => word.replace(/ies$/, 'y').replace(/s$/, '')

/** Makes a prefix that `migrate` takes: small letters, digits, - and _, first a letter. */
function prefixOf(base: string): string {
  const plain = base.replaceAll(/[^a-z0-9_-]+/g, '-').replace(/^[^a-z]+/, '') || 'owner'
  return plain === RESERVED ? `${plain}s` : plain
}
