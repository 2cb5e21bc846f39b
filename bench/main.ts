import { readFileSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, totalmem } from 'node:os'
import { parseArgs } from 'node:util'
import { STANDS } from './benchmarks.ts'
import type { Figure } from './measure.ts'

/** `npm run bench [-- --only id] [--json file]`: measures whole local systems and prints a table. */
const { values: flags } = parseArgs({ options: { only: { type: 'string' }, json: { type: 'string' } } })
const isChosen = (id: string) => flags.only === undefined || id === flags.only || id.startsWith(`${flags.only}.`)
const ids = STANDS.flatMap(({ cases }) => cases.map(({ id }) => id))
if (!ids.some(isChosen)) {
  console.error(`There is no benchmark ${flags.only}: choose one of ${ids.join(', ')}, or the beginning of one.`)
  process.exit(2)
}

const versionOf = (name: string): string =>
  JSON.parse(readFileSync(new URL(`../node_modules/${name}/package.json`, import.meta.url), 'utf8')).version
const machine = `${cpus().length} × ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, load ${loadavg()[0]?.toFixed(1)}`
const versions = `Node ${process.versions.node}, PGlite ${versionOf('@electric-sql/pglite')}, miniflare ${versionOf('miniflare')}`
console.log(
  `${machine}\n${versions}\nServer, clients and Postgres share this machine: compare figures of one run only.`,
)

const figures: Figure[] = []
for (const { name, start, cases } of STANDS) {
  const chosen = cases.filter(({ id }) => isChosen(id))
  if (chosen.length === 0) continue
  const startedMs = performance.now()
  const system = await start()
  try {
    const database = await system.openDatabase()
    const [server] = await database.query('SHOW server_version')
    await database.close()
    console.log(`\n${name}; Postgres ${server?.server_version}`)
    for (const { run } of chosen) {
      for (const figure of await run(system)) {
        figures.push(figure)
        console.log(line(figure))
      }
    }
  } finally {
    await system.dispose()
    const seconds = Math.round((performance.now() - startedMs) / 1_000)
    console.log(`(${seconds} s; load now ${loadavg()[0]?.toFixed(1)})`)
  }
}
if (flags.json !== undefined) writeFileSync(flags.json, `${JSON.stringify(figures, null, 2)}\n`)
process.exit(figures.every(({ ok }) => ok !== false) ? 0 : 1)

function line({ id, value, unit, target, ok, detail }: Figure): string {
  const verdict = ok === null ? '' : ok ? 'ok' : 'MISSED'
  const aim = target === null ? '' : `target ${target.toLocaleString('en')}`
  return `${id.padEnd(34)} ${value.toLocaleString('en').padStart(9)} ${unit.padEnd(12)} ${aim.padEnd(14)} ${verdict.padEnd(6)} ${detail}`
}
