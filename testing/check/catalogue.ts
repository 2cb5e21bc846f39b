import { globSync, readFileSync } from 'node:fs'
import { catalogueFaults, parseCatalogue } from './catalogue-faults.ts'
import { testsOf } from './test-titles.ts'

/** Fails where a scenario due now or a rule has no test, or where a test quotes an id that no page defines. */
const read = (path: string) => readFileSync(path, 'utf8')
const paths = globSync('{protocol,db,workers,client,cli,e2e,testing,examples,bench}/**/*.{ts,tsx}', {
  exclude: (name) => name === 'node_modules' || name === 'dist',
})
// A suite that several test files share declares tests too.
const files = paths
  .sort()
  .filter((path) => read(path).includes("from 'vitest'"))
  .map((path) => ({ path, tests: testsOf(path, read(path)) }))
const faults = catalogueFaults(parseCatalogue(read('testing/scenarios.md'), read('protocol/SPEC.md')), files)
for (const fault of faults) console.log(fault)
process.exitCode = faults.length === 0 ? 0 : 1
