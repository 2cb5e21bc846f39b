import { parseArgs } from 'node:util'
import { runOracle } from './run-oracle.ts'

/** `node testing/oracle/soak.ts [--minutes 60] [--steps 600] [--seed s]`: fresh seeds until the time is over or one fails. */
const { values: flags } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    steps: { type: 'string', default: '600' },
    seed: { type: 'string' },
  },
})
const endsAt = Date.now() + Number(flags.minutes) * 60_000
for (let run = 0; run === 0 || (Date.now() < endsAt && flags.seed === undefined); run++) {
  const seed = flags.seed ?? Math.random().toString(36).slice(2, 10)
  const decoder = run % 2 === 0 ? 'pgoutput' : 'wal2json'
  const report = await runOracle({ seed, decoder, transactions: Number(flags.steps), faults: true })
  const { violations, ...figures } = report
  console.log(`${new Date().toISOString()} seed ${seed} through ${decoder}: ${violations.length} violations`, figures)
  if (violations.length > 0) {
    console.error(violations.slice(0, 20).join('\n'))
    process.exit(1)
  }
}
