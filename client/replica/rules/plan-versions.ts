import {
  composeNames,
  type Definition,
  type DefinitionInForce,
  type DefinitionVersion,
  type Lsn,
  namesOfVersion,
  type TableDefinition,
  type TableStep,
  typesOf,
  type VersionNames,
} from '../../../protocol/index.ts'
import { isAlike } from '../../store/rules/alike-tables.ts'
import { addedLabels } from '../../store/rules/enum-labels.ts'

/** The tables that a replica has at some version, and which of them do not follow the stream. */
export interface Held {
  readonly version: number
  readonly definition: Definition
  /** Ids of tables whose rows are to be loaded anew: changes of them are passed over until then. */
  readonly behind: ReadonlySet<string>
  /** The names that tables which are behind, and are shown as they were, have in this version. */
  readonly owed: VersionNames
}

/** A table that goes over from one version to the next in place, or, where `before` is null, begins empty. */
export interface TableChange {
  readonly before: TableDefinition | null
  readonly after: TableDefinition
  readonly step: TableStep
}

/** A version of the definition as one replica steps to it, when its cursor reaches the version's place. */
export interface Phase {
  readonly version: DefinitionVersion
  readonly lsn: Lsn
  /** It holds the tables that are behind as they were; its hash then is not the version's. */
  readonly inForce: DefinitionInForce
  readonly behind: ReadonlySet<string>
  readonly owed: VersionNames
  readonly changes: readonly TableChange[]
  /** Tables that go with this version. */
  readonly gone: readonly TableDefinition[]
}

export interface VersionsPlan {
  /** In the order of their places. */
  readonly phases: readonly Phase[]
  /** Ids of the tables that are to be loaded, in the last version. */
  readonly renewed: ReadonlySet<string>
}

/**
 * Plans how a replica comes from what it holds at this cursor to the last of these versions. A version whose place the
 * cursor has passed comes at once and without steps: rows past it came in its names. Rules MIG-R1 and HYD-R6.
 */
export function planVersions(held: Held, cursor: Lsn, versions: readonly DefinitionVersion[]): VersionsPlan {
  const phases: Phase[] = []
  let so = held
  for (const version of versions) {
    const isAhead = version.lsn > cursor
    const phase = isAhead ? planVersion(so, version) : { ...planWithoutSteps(so, version), lsn: cursor }
    phases.push(phase)
    so = { version: version.version, definition: phase.inForce.definition, behind: phase.behind, owed: phase.owed }
  }
  const last = versions.at(-1)?.definition
  const wanted = last?.tables.map(({ id }) => id) ?? [...held.behind]
  return { phases, renewed: new Set(wanted.filter((id) => so.behind.has(id))) }
}

/**
 * Plans one version; a table that has no step, and is not as it was, is behind from here on, as is one whose steps are not
 * wanted. It is shown under the name that it had until it is loaded.
 */
function planVersion(held: Held, its: DefinitionVersion, steps: readonly TableStep[] = its.steps): Phase {
  const { version, hash, lsn, definition } = its
  const followed = composeNames(held.owed, namesOfVersion(its))
  const fromOf = new Map([...followed].map(([from, { table }]) => [table, from]))
  const heldTables = new Map(held.definition.tables.map((table) => [table.id, table]))
  const stepOf = new Map(steps.map((step) => [step.table, step]))
  const moved = new Set(steps.flatMap(({ from }) => (from === null ? [] : [from])))
  // A table that is shown under its old name until it is loaded keeps that from any other.
  const isOccupied = ({ id }: TableDefinition) => {
    const is = heldTables.has(id) && !moved.has(id) ? followed.get(id)?.table : undefined
    return is !== undefined && is !== id && definition.tables.some((table) => table.id === is)
  }
  const tables: TableDefinition[] = []
  const left: TableDefinition[] = []
  const changes: TableChange[] = []
  const behind = new Set<string>()
  for (const table of definition.tables) {
    const step = isOccupied(table) ? null : (stepOf.get(table.id) ?? null)
    const from = fromOf.get(table.id)
    const before = heldTables.get(from ?? table.id)
    if (step?.from === null && areFree(typesOf(table.columns, definition.types), held.definition.types)) {
      tables.push(table)
      changes.push({ before: null, after: table, step })
    } else if (step && step.from !== null && before && !held.behind.has(before.id)) {
      tables.push(table)
      changes.push({ before, after: table, step })
    } else if (!step && before && !held.behind.has(before.id) && isKept(before, held, table, definition)) {
      tables.push(table)
    } else {
      behind.add(table.id)
      // The app goes on seeing the rows from before; nobody tells it of changes until they are loaded anew.
      const isTaken = before === undefined || (from === undefined && followed.has(before.id))
      if (!isTaken) left.push(before)
    }
  }
  const stays = left.filter(({ id }) => tables.every((table) => table.id !== id))
  for (const { id } of stays) behind.add(id)
  const created = new Set(changes.flatMap(({ before, after }) => (before === null ? [after.id] : [])))
  const has = new Set([...tables, ...stays].map(({ id }) => id))
  const gone = held.definition.tables.filter(({ id }) => !moved.has(id) && (created.has(id) || !has.has(id)))
  return {
    version: its,
    lsn,
    inForce: {
      version,
      hash: behind.size === 0 ? hash : `${hash}-behind-${behind.size}`,
      definition: { types: typesBetween(held, definition, stays), tables: [...tables, ...stays] },
    },
    behind,
    owed: new Map([...followed].filter(([id]) => stays.some((table) => table.id === id))),
    changes,
    gone,
  }
}

/** Plans a version for a replica in which its steps failed: their tables are loaded. */
export function planWithoutSteps(held: Held, version: DefinitionVersion): Phase {
  return planVersion(held, version, [])
}

function isKept(before: TableDefinition, held: Held, after: TableDefinition, { types }: Definition): boolean {
  const isOld = after.since !== undefined && after.since <= held.version
  return isOld && isAlike(before, held.definition.types, after, types)
}

/** Answers the types of a version and of the tables left from before it, which keep theirs until they are loaded anew. */
function typesBetween(held: Held, { types }: Definition, stays: readonly TableDefinition[]): Definition['types'] {
  const isSame = (a: Definition['types'][number], b: Definition['types'][number]) =>
    a.schema === b.schema && a.name === b.name
  const left = typesOf(
    stays.flatMap(({ columns }) => columns),
    held.definition.types,
  )
  const wanted = types.map((type) => {
    const old = left.find((candidate) => isSame(candidate, type))
    return old && old.statement !== type.statement && addedLabels(old, type) === null ? old : type
  })
  return [...wanted, ...left.filter((old) => !types.some((type) => isSame(old, type)))]
}

/** Answers whether no other type of these names is there, which tables that are behind may still have. */
function areFree(types: Definition['types'], held: Definition['types']): boolean {
  return types.every((type) => {
    const same = held.find(({ schema, name }) => schema === type.schema && name === type.name)
    return same === undefined || same.statement === type.statement || addedLabels(same, type) !== null
  })
}
