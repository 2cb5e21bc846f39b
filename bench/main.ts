import { readFileSync, writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { parseArgs } from 'node:util'
import { startBenchSystem } from './bench-system.ts'
import { BENCHMARKS } from './benchmarks.ts'
import type { Figure } from './measure.ts'

/** `npm run bench [-- --only id] [--json file]`: measures a whole local system and prints a table. */
const { values: flags } = parseArgs({ options: { only: { type: 'string' }, json: { type: 'string' } } })
const chosen = BENCHMARKS.filter(({ id }) => flags.only === undefined || id === flags.only)
if (chosen.length === 0) {
  console.error(`There is no benchmark ${flags.only}: choose one of ${BENCHMARKS.map(({ id }) => id).join(', ')}.`)
  process.exit(2)
}

const versionOf = (name: string): string =>
  JSON.parse(readFileSync(new URL(`../node_modules/${name}/package.json`, import.meta.url), 'utf8')).version

const system = await startBenchSystem()
const figures: Figure[] = []
try {
  const database = await system.openDatabase()
  const [server] = await database.query('SHOW server_version')
  await database.close()
  const machine = `${cpus().length} × ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB`
  const versions = `Node ${process.versions.node}, Postgres ${server?.server_version}, PGlite ${versionOf('@electric-sql/pglite')}, miniflare ${versionOf('miniflare')}`
  console.log(
    `${machine}\n${versions}\nEverything runs on this one machine; compare ratios, not figures of other machines.\n`,
  )
  for (const { run } of chosen) {
    for (const figure of await run(system)) {
      figures.push(figure)
      console.log(line(figure))
    }
  }
} finally {
  await system.dispose()
}
if (flags.json !== undefined) writeFileSync(flags.json, `${JSON.stringify(figures, null, 2)}\n`)
process.exit(figures.every(({ ok }) => ok !== false) ? 0 : 1)

function line({ id, value, unit, target, ok, detail }: Figure): string {
  const verdict = ok === null ? '' : ok ? 'ok' : 'MISSED'
  const aim = target === null ? '' : `target ${target.toLocaleString('en')}`
  return `${id.padEnd(18)} ${value.toLocaleString('en').padStart(12)} ${unit.padEnd(16)} ${aim.padEnd(16)} ${verdict.padEnd(7)} ${detail}`
}
