import type { HealthCheck } from '../../workers/contracts.ts'
import { runDoctor } from '../../workers/health/index.ts'
import type { Invocation } from '../command.ts'
import { accessDatabase, openForMigration, requireDatabaseUrl } from '../database.ts'
import { findingLines, verdict } from './findings.ts'

/** Prints every finding; 1 when one of them fails. */
export async function runDoctorCommand({ values }: Invocation): Promise<number> {
  const access = await accessDatabase(requireDatabaseUrl(values['database-url']))
  let checks: readonly HealthCheck[]
  try {
    const database = await openForMigration(access)
    try {
      checks = await runDoctor(database.query)
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
