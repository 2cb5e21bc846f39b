import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { relative, resolve } from 'node:path'
import { TidemarkError } from '../../protocol/errors.ts'
import type { Invocation } from '../command.ts'
import { entityFaults, sharedNameFaults } from './entity-faults.ts'
import { type AppEntities, loadEntities } from './load-entities.ts'
import { type EntityModel, readMetadata } from './read-metadata.ts'
import { relationFaults } from './relation-faults.ts'
import { syncedAmong } from './synced-entity.ts'
import { writeTables } from './write-tables.ts'

export const DEFAULT_OUT = 'sync-tables.ts'

/** Writes the module of an app's synced tables, or with `--check` tells whether it is up to date. */
export async function runBuild({ argument, values, switches }: Invocation): Promise<number> {
  const root = resolve(argument ?? '.')
  const { text, count } = describeTables(await checkEntities(await loadEntities(root)))
  const out = resolve(root, values.out ?? DEFAULT_OUT)
  const shown = relative(process.cwd(), out)
  const before = existsSync(out) ? readFileSync(out, 'utf8').replaceAll('\r\n', '\n') : null
  if (before === text) {
    console.log(`${shown} is up to date: ${count} synced.`)
    return 0
  }
  if (switches.has('check')) {
    throw new TidemarkError(
      'bad-input',
      `${shown} ${before === null ? 'is missing' : 'is not what the entities say'}: run tidemark build and commit it.`,
    )
  }
  writeFileSync(out, text)
  console.log(`Wrote ${shown}: ${count} synced.`)
  return 0
}

/** Returns the model of an app's entities. Throws `bad-input` with one sentence for each fault. */
export async function checkEntities(app: AppEntities): Promise<EntityModel> {
  const model = await readMetadata(app)
  const { driver } = model.dataSource
  const synced = syncedAmong(model.entities)
  const faults = [
    ...sharedNameFaults(synced),
    ...synced.flatMap((entity) => entityFaults(entity, driver, synced)),
    ...relationFaults(model, synced),
  ]
  if (faults.length === 0 && model.objection !== null) faults.push(`TypeORM refuses the entities: ${model.objection}`)
  if (faults.length > 0) throw new TidemarkError('bad-input', faults.join('\n'))
  return model
}

/** Returns the text of the module and how many entities it is of. Throws `bad-input` where none is synced. */
export function describeTables({ dataSource, entities }: EntityModel): { text: string; count: string } {
  const synced = syncedAmong(entities)
  if (synced.length === 0) {
    throw new TidemarkError('bad-input', `No entity is synced: give at least one @Synced({ audience: … }).`)
  }
  const count = `${synced.length} of ${entities.length} entities`
  return { text: writeTables(synced, dataSource.driver), count }
}
