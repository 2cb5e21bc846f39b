import type { Invocation } from '../command.ts'
import { adoptTables } from './adopt-tables.ts'
import { withAppDatabase } from './with-app-database.ts'

/** Takes over what others altered, or tries it, and prints what replicas do. */
export async function runAdopt(invocation: Invocation): Promise<number> {
  const isTrial = invocation.switches.has('dry-run')
  const adopted = await withAppDatabase(invocation, async ({ app, sync, database, shown }) => {
    console.log(`${isTrial ? 'Trying on' : 'Adopting on'} ${shown}`)
    return await adoptTables(database, app.migrations, sync, isTrial)
  })
  if (adopted === null) {
    console.log('No synced table was altered by other hands: nothing to adopt.')
    return 0
  }
  for (const note of adopted.notes) console.log(note)
  for (const table of adopted.leftOut)
    console.log(`Table ${table} cannot be synced as it is and is left out: mend it, then tidemark migration:run.`)
  if (isTrial) {
    console.log('Nothing was changed.')
    return 0
  }
  const whose = adopted.declared ? 'what the app declares' : 'not what the app declares: bring sync.ts up to it'
  console.log(`Sync definition: version ${adopted.version}, now in force, ${whose}.`)
  return 0
}
