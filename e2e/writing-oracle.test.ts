import { describe, expect, it } from 'vitest'
import { casesOf } from '../testing/oracle/oracle-cases.ts'
import { runWritingOracle } from '../testing/writing-oracle/run-writing-oracle.ts'

const steps = Number(process.env.ORACLE_STEPS ?? 140)

describe('replicas that write end as Postgres does, and lose nothing', () => {
  it.each(casesOf('ebb-and-flow'))(
    'ORA-01 LSE-R5 LSE-R7 LSE-R11 LSE-R14 OUT-02 OUT-04 OUT-05 REB-14 REB-16 CON-11 FLT-09 with seed $seed through $decoder',
    async ({ seed, decoder }) => {
      const report = await runWritingOracle({ seed, decoder, steps, faults: true })
      const found = `seed ${seed}, written down in ${report.chronicleFile}\n${report.violations.slice(0, 10).join('\n')}`
      expect(report.violations.length, found).toBe(0)
      // A run in which nothing happened proves nothing.
      expect(report.confirmed).toBeGreaterThan(steps / 5)
      expect(report.looks).toBeGreaterThan(5)
    },
  )
})
