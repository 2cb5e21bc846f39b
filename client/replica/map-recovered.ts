import {
  composeNames,
  type Definition,
  type DefinitionInForce,
  type DefinitionVersion,
  namesOfVersion,
  type Rejection,
  type VersionNames,
} from '../../protocol/index.ts'
import type { Executor } from '../store/copies.ts'
import { forgetSaid, readSaid, type SaidMutations } from '../store/rows/journal-rows.ts'
import { forgetPredictions, readOpenPatches } from '../store/rows/mutation-rows.ts'
import { storeFailed } from '../store/rows/outcome-rows.ts'
import { NOTIFY_OUTBOX } from '../store/rules/outbox-notice.ts'
import type { Said } from '../store/rules/said-version.ts'
import type { FetchOptions } from './fetch-manifests.ts'
import { fetchVersions } from './fetch-versions.ts'
import { mapPatches } from './map-patches.ts'

/** Mutations that a journal kept, with what became of their names and types by the version of a copy; null where nobody tells. */
export interface Recovered extends SaidMutations {
  readonly names: VersionNames | null
}

/** The version that work is to be said in. */
type Wanted = Pick<DefinitionInForce, 'version'> & { readonly epoch: string }

/** Asks what became of the names and types in which the mutations are said that a journal kept. Rule JRN-R20. */
export async function fetchRecovered(
  options: FetchOptions & { readonly db: Pick<Executor, 'query'> },
  wanted: Wanted,
): Promise<Recovered[]> {
  const recovered: Recovered[] = []
  for (const one of await readRecovered(options.db, wanted)) {
    const { said } = one
    const from = Math.min(said.version, ...Object.values(said.behind ?? {}))
    const isEarlier = said.epoch === wanted.epoch && said.version <= wanted.version && from < wanted.version
    const versions = isEarlier ? await fetchVersions(options, { epoch: said.epoch, version: from }) : null
    const later = versions?.filter(({ version }) => version <= wanted.version)
    recovered.push({ ...one, names: later ? namesSince(said, later) : one.names })
  }
  return recovered
}

/** Answers what became of the names of tables, each since the version in which it is said. */
function namesSince({ version, behind = {} }: Said, versions: readonly DefinitionVersion[]): VersionNames {
  const since = (from: number) =>
    versions
      .filter((one) => one.version > from)
      .reduce<VersionNames>((so, one) => composeNames(so, namesOfVersion(one)), new Map())
  const names = new Map([...since(version)].filter(([id]) => !(id in behind)))
  for (const [id, from] of Object.entries(behind)) {
    const its = since(from).get(id)
    if (its) names.set(id, its)
  }
  return names
}

/** Reads them as far as can be told without asking: those that are said in this very version. */
export async function readRecovered(db: Pick<Executor, 'query'>, wanted: Wanted): Promise<Recovered[]> {
  return (await readSaid(db)).map((one) => {
    const { epoch, version, behind = {} } = one.said
    const isSame = epoch === wanted.epoch && version === wanted.version && Object.keys(behind).length === 0
    return { ...one, names: isSame ? new Map() : null }
  })
}

/**
 * Says them in the version of the copy that is loaded. What has nothing left, or cannot be said, fails and keeps its values; so
 * does what nobody can tell of, where one of its tables is another since.
 */
export async function mapRecovered(
  tx: Executor,
  recovered: readonly Recovered[],
  { tables }: Definition,
): Promise<void> {
  for (const { said, counters, names } of recovered) {
    const sinceOf = new Map(tables.map(({ id, since }) => [id, since]))
    const versionOf = (table: string) => said.behind?.[table] ?? said.version
    const isSame = (table: string) => (sinceOf.get(table) ?? versionOf(table) + 1) <= versionOf(table)
    const failed = new Map<number, Rejection>()
    if (names === null) {
      const open = (await readOpenPatches(tx, true)).filter(
        ({ counter, attempted }) => !attempted && counters.includes(counter),
      )
      for (const { counter, patch } of open) if (!patch.every(({ t }) => isSame(t))) failed.set(counter, NOBODY_TELLS)
    } else if (names.size > 0) {
      for (const [counter, rejection] of await mapPatches(tx, names, new Set(counters))) failed.set(counter, rejection)
    }
    for (const [counter, rejection] of failed) await storeFailed(tx, counter, rejection)
    if (failed.size > 0) await tx.exec(NOTIFY_OUTBOX)
    // What was sent may be decided in the names of the version: its rows are asked for.
    if (names?.size !== 0) await forgetPredictions(tx, counters)
    await forgetSaid(tx, counters)
  }
}

const NOBODY_TELLS: Rejection = {
  kind: 'outdated-schema',
  message: 'This was written before its table changed, and nobody tells how what it wrote would be said now.',
}
