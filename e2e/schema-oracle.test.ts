import { describe, expect, it } from 'vitest'
import { NEWER_BINARIES } from '../testing/postgres/global-setup.ts'
import { runSchemaOracle } from '../testing/schema-oracle/run-schema-oracle.ts'

/** As in the other oracles: one standing seed and `ORACLE_RUNS` fresh ones, or with `ORACLE_SEED` that one alone. */
const steps = Number(process.env.ORACLE_STEPS ?? 80)
const freshSeeds = Array.from({ length: Number(process.env.ORACLE_RUNS ?? 0) }, () =>
  Math.random().toString(36).slice(2, 10),
)
const seeds = process.env.ORACLE_SEED ? [process.env.ORACLE_SEED] : ['shifting-sands', ...freshSeeds]

const cases = seeds
  .flatMap((seed) => [
    { seed, decoder: 'pgoutput' as const },
    { seed, decoder: 'wal2json' as const },
  ])
  .filter(({ decoder }) => !process.env.ORACLE_DECODER || process.env.ORACLE_DECODER === decoder)
  .filter(({ decoder }) => decoder === 'pgoutput' || NEWER_BINARIES)

describe('while the schema moves, replicas end as Postgres does, and no edit is lost', () => {
  it.each(cases)('MIG-01 MIG-02 MIG-11 MIG-R2 with seed $seed through $decoder', async ({ seed, decoder }) => {
    const report = await runSchemaOracle({ seed, decoder, steps })
    const found = `seed ${seed}, written down in ${report.chronicleFile}\n${report.violations.slice(0, 10).join('\n')}`
    expect(report.violations.length, found).toBe(0)
    // A run in which nothing happened proves nothing.
    expect(report.migrations.length).toBeGreaterThan(steps / 12)
    expect(report.confirmed).toBeGreaterThan(steps / 12)
  })
})
