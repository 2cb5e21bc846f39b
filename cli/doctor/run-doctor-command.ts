import { existsSync } from 'node:fs'
import type { HealthCheck } from '../../workers/contracts.ts'
import { runDoctor } from '../../workers/health/index.ts'
import { findApp } from '../app/app-folder.ts'
import { loadSync } from '../app/load-module.ts'
import { orServed } from '../app/served-database.ts'
import type { Invocation } from '../command.ts'
import { accessDatabase, openForMigration, requireDatabaseUrl } from '../database.ts'
import { findingLines, verdict } from './findings.ts'

/** Prints every finding; 1 when one of them fails. */
export async function runDoctorCommand({ argument, values }: Invocation): Promise<number> {
  const databaseUrl = requireDatabaseUrl(orServed(values['database-url'], argument ?? '.'))
  const sync =
    argument !== undefined || existsSync('sync.ts') ? await loadSync(findApp(argument ?? '.').syncModule) : null
  const access = await accessDatabase(databaseUrl)
  let checks: readonly HealthCheck[]
  try {
    const database = await openForMigration(access)
    try {
      checks = await runDoctor(database.query, sync === null ? {} : { sync })
    } finally {
      await database.close()
    }
  } finally {
    await access.close()
  }
  console.log(`Checked ${access.shown}\n`)
  for (const check of checks) console.log(findingLines(check))
  console.log(`\n${verdict(checks)}`)
  return checks.some((check) => check.status === 'fail') ? 1 : 0
}
