import { describe, expect, it } from 'vitest'
import { casesOf } from '../testing/oracle/oracle-cases.ts'
import { runSchemaOracle } from '../testing/schema-oracle/run-schema-oracle.ts'

const steps = Number(process.env.ORACLE_STEPS ?? 80)

describe('while the schema moves, replicas end as Postgres does, and no edit is lost', () => {
  it.each(casesOf('shifting-sands'))(
    'MIG-01 MIG-02 MIG-11 MIG-18 MIG-19 MIG-R2 MIG-R23 with seed $seed through $decoder',
    async ({ seed, decoder }) => {
      const report = await runSchemaOracle({ seed, decoder, steps })
      const found = `seed ${seed}, written down in ${report.chronicleFile}\n${report.violations.slice(0, 10).join('\n')}`
      expect(report.violations.length, found).toBe(0)
      // A run in which nothing happened proves nothing.
      expect(report.migrations.length).toBeGreaterThan(steps / 12)
      expect(report.confirmed).toBeGreaterThan(steps / 12)
      expect(report.compared).toBeGreaterThan(0)
    },
  )
})
