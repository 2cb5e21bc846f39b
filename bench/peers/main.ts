import { fork } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { cpus, loadavg, totalmem } from 'node:os'
import { setTimeout as wait } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { median, percentile } from '../measure.ts'
import { type PeerClient, ROWS, type Side } from './side.ts'
import { startTidemark } from './tidemark-side.ts'
import type { WriterOrder } from './writer-process.ts'
import { installZero, startZero } from './zero-side.ts'

/**
 * `npm run bench:peers [-- --rounds 3]`: the same table, writer and clock for Tidemark and for Zero, taking turns, each
 * time with fresh servers. It prints medians, their ratio, and how much the machine itself varied. Never part of CI.
 */
const { values: flags } = parseArgs({ options: { rounds: { type: 'string', default: '3' } } })
const rounds = Number(flags.rounds)

const GROUPS = 50
const UPDATES = 200
const EVERY_MS = 50
const IN_GROUP = ROWS / GROUPS
/** The time in which what starting clients left behind is done. */
const CALM_MS = 2_000

const figures = new Map<string, Map<string, number[]>>()
function note(id: string, side: string, value: number): void {
  const sides = figures.get(id) ?? new Map<string, number[]>()
  figures.set(id, sides)
  sides.set(side, [...(sides.get(side) ?? []), value])
  console.log(`  ${side.padEnd(12)} ${id.padEnd(28)} ${value.toFixed(1)}`)
}

/** A fixed piece of work: what it takes varies as the machine does. */
function spinMs(): number {
  const startedMs = performance.now()
  let value = 1
  for (let turn = 0; turn < 5e7; turn++) value = (value * 1_103_515_245 + 12_345) & 0x7fffffff
  return performance.now() - startedMs + (value === 0 ? 1 : 0)
}

function write(order: WriterOrder): Promise<readonly number[]> {
  const child = fork(new URL('writer-process.ts', import.meta.url))
  return new Promise((resolve, reject) => {
    child.once('message', (committedMs: readonly number[]) => {
      resolve(committedMs)
      child.disconnect()
    })
    child.once('exit', () => reject(new Error('The writer ended.')))
    child.send(order)
  })
}

const idOf = (row: number) => String(row + 1).padStart(8, '0')
const ALL = Array.from({ length: GROUPS }, (_, group) => group)
let first = 1_000_000

async function measureReady(side: Side, id: string, groups: readonly number[]): Promise<void> {
  const client = await side.openClient(groups, ROWS)
  note(id, side.name, client.readyMs)
  await client.close()
}

async function measureLatency(side: Side, id: string, count: number): Promise<void> {
  const clients: PeerClient[] = []
  for (let client = 0; client < count; client++) clients.push(await side.openClient([0], IN_GROUP))
  await wait(CALM_MS)
  first += UPDATES
  const ids = Array.from({ length: UPDATES }, (_, update) => idOf((update * 37) % IN_GROUP))
  const watches: Promise<readonly number[]>[] = []
  for (const client of clients) watches.push((await client.watch(ids, first)).arrivals)
  const committedMs = await write({ env: side.env, ids, first, everyMs: EVERY_MS })
  const delaysMs = (await Promise.all(watches)).flatMap((atMs) =>
    atMs.map((arrivedMs, update) => arrivedMs - (committedMs[update] ?? 0)),
  )
  note(`${id}.p50_ms`, side.name, median(delaysMs))
  note(`${id}.p99_ms`, side.name, percentile(delaysMs, 0.99))
  for (const client of clients) await client.close()
}

async function measure(start: (groups: number) => Promise<Side>): Promise<void> {
  const side = await start(GROUPS)
  try {
    await measureReady(side, `ready.${GROUPS}_audiences_ms`, ALL)
    await measureLatency(side, 'commit.1_client', 1)
    await measureLatency(side, 'commit.10_clients', 10)
  } finally {
    await side.stop()
  }
  const one = await start(1)
  try {
    await measureReady(one, 'ready.1_audience_ms', [0])
  } finally {
    await one.stop()
  }
}

const versionOf = (name: string): string =>
  JSON.parse(readFileSync(new URL(`../../node_modules/${name}/package.json`, import.meta.url), 'utf8')).version
console.log(
  `${cpus().length} × ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, load ${loadavg()[0]?.toFixed(1)}; ` +
    `Node ${process.versions.node}, PGlite ${versionOf('@electric-sql/pglite')}, Postgres 15`,
)
const folder = installZero()
const spins: number[] = []
try {
  for (let round = 0; round < rounds; round++) {
    spins.push(spinMs())
    console.log(`round ${round + 1} of ${rounds}, load ${loadavg()[0]?.toFixed(1)}`)
    const turns = [(groups: number) => startZero(folder, groups), startTidemark]
    // Who comes first changes, because whoever comes second finds warmer caches.
    for (const start of round % 2 === 0 ? turns : turns.toReversed()) await measure(start)
  }
  spins.push(spinMs())
} finally {
  rmSync(folder, { recursive: true, force: true })
}

console.log(`\nmedians of ${rounds} fresh servers each`)
for (const [id, sides] of figures) {
  const [[zero = '', theirs = []] = [], [ours = '', own = []] = []] = [...sides].toSorted(([one]) =>
    one === 'Tidemark' ? 1 : -1,
  )
  const ratio = median(own) / median(theirs)
  const range = (values: readonly number[]) => `${Math.min(...values).toFixed(1)} to ${Math.max(...values).toFixed(1)}`
  console.log(
    `${id.padEnd(28)} ${zero} ${median(theirs).toFixed(1)} (${range(theirs)})  ${ours} ${median(own).toFixed(1)} (${range(own)})  ratio ${ratio.toFixed(2)}`,
  )
}
console.log(
  `noise: a fixed loop took ${Math.min(...spins).toFixed(0)} to ${Math.max(...spins).toFixed(0)} ms; load now ${loadavg()[0]?.toFixed(1)}`,
)
process.exit(0)
