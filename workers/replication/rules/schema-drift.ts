import type { Drift } from '../../../db/definition/compare-shapes.ts'
import { TidemarkError } from '../../../protocol/index.ts'

const RELOADED = 'Replicas load it anew by themselves.'
const MIGRATE =
  'Put the definition that matches in force (tidemark migrate), or take the change back; capture goes on then. These tables ' +
  'are replayed where the log shows the place of the change, else loaded anew.'

/** The catalogue or the log contradicts the definition in force: nothing from there on may be stored as it stands. */
export class SchemaDrift extends TidemarkError {
  readonly drifts: readonly Drift[]

  constructor(drifts: readonly Drift[]) {
    const remedy = drifts.every(({ kind }) => kind === 'rows') ? RELOADED : MIGRATE
    super('schema-drift', `${drifts.map(({ table, what }) => `Table ${table} ${what}.`).join(' ')} ${remedy}`)
    this.drifts = drifts
  }
}
