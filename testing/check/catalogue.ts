import { globSync, readFileSync } from 'node:fs'
import { catalogueFaults, parseCatalogue, titlesOf } from './catalogue-faults.ts'

/** Fails where a scenario due now or a rule has no test, or a test quotes what no page defines. */
const read = (path: string) => readFileSync(path, 'utf8')
const paths = globSync('{protocol,db,workers,client,cli,e2e,testing,examples,bench}/**/*.test.ts', {
  exclude: (name) => name === 'node_modules' || name === 'dist',
})
const files = paths.sort().map((path) => ({ path, titles: titlesOf(read(path)) }))
const faults = catalogueFaults(parseCatalogue(read('testing/scenarios.md'), read('protocol/SPEC.md')), files)
for (const fault of faults) console.log(fault)
process.exitCode = faults.length === 0 ? 0 : 1
