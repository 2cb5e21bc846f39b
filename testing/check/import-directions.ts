import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, sep } from 'node:path'

/** For each folder, the folders of ours that its product code may import; tests may import anything. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  protocol: ['protocol'],
  db: ['db', 'protocol'],
  workers: ['workers', 'db', 'protocol'],
  client: ['client', 'db', 'protocol'],
  cli: ['cli', 'workers', 'db', 'protocol'],
  examples: ['examples'],
}
/** For each room, the others that its product code may import; files that lie in the folder itself are for all. */
const ROOMS: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  db: { definition: [], entity: [] },
  workers: {
    database: [],
    access: ['database'],
    snapshot: ['database'],
    history: ['database'],
    health: ['database', 'snapshot'],
    push: ['database', 'access'],
    replication: ['database'],
    sync: ['database', 'access', 'push'],
    ops: ['access', 'push'],
    http: ['access', 'database', 'history', 'ops', 'push', 'sync'],
    server: ['access', 'database', 'push'],
  },
  client: {
    connection: [],
    store: [],
    live: ['store'],
    mutations: ['store'],
    journal: ['store', 'mutations'],
    rebase: ['store', 'mutations'],
    replica: ['store', 'mutations', 'rebase', 'connection'],
    outbox: ['store', 'mutations', 'journal', 'rebase', 'connection'],
    tabs: ['store', 'mutations', 'outbox', 'replica', 'connection', 'live'],
    react: ['live', 'mutations', 'outbox', 'replica'],
    tanstack: ['live'],
    testing: ['connection', 'store'],
  },
  cli: {
    app: [],
    postgres: [],
    init: [],
    migrations: ['app'],
    build: ['app'],
    doctor: ['app'],
    dev: ['app', 'migrations', 'postgres'],
    generate: ['build', 'migrations', 'postgres'],
    sql: ['app', 'migrations'],
    remove: ['migrations'],
    baseline: ['app', 'generate', 'migrations'],
    introspect: ['app', 'build', 'init', 'migrations'],
    commands: ['baseline', 'build', 'dev', 'doctor', 'generate', 'init', 'introspect', 'migrations', 'remove', 'sql'],
  },
}
/** The names that a pure rule may not use: platform, driver, replica, clock, timers, randomness. */
const IMPURE =
  /from '(cloudflare:|@neondatabase|@electric-sql|node:|hono|ws')|\bDate\.now\b|\bMath\.random\b|\bset(Timeout|Interval)\b|\bnew Date\(\)/
/** TypeORM is read where entities are, and reaches no worker and no page. */
const OF_TYPEORM = /from 'typeorm'/
const KNOWS_TYPEORM = [join('db', 'entity'), join('cli', 'build'), join('examples', 'tracker', 'db', 'entities')]
const IMPORT = /(?:from|import\(|import)\s*'(\.[^']+)'/g

const faults: string[] = []
/** The files of ours that each file of product code imports, types included. */
const imports = new Map<string, readonly string[]>()

/** Answers the room of a file, such as `client/store`; null where it lies in the folder itself. */
function roomOf(path: string): { readonly folder: string; readonly room: string } | null {
  const [folder = '', room = '', ...rest] = path.split(sep)
  return rest.length > 0 && ROOMS[folder] ? { folder, room } : null
}

function roomFault(path: string, target: string): string | null {
  const [from, to] = [roomOf(path), roomOf(target)]
  if (from === null || to === null || from.folder !== to.folder || from.room === to.room) return null
  const allowed = ROOMS[from.folder]?.[from.room]
  if (allowed === undefined) return `${path}: ${from.folder}/${from.room} is no room that testing/check knows`
  if (allowed.includes(to.room)) return null
  return `${path} imports ${target}: ${from.folder}/${from.room} may import only ${[from.room, ...allowed].join(', ')}`
}

/** Finds files that import each other in a circle, each circle once. */
function circles(): string[] {
  const found: string[] = []
  const done = new Set<string>()
  const walk = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path)
    if (start !== -1) found.push(`${[...trail.slice(start), path].join(' → ')}: a circle`)
    if (start !== -1 || done.has(path)) return
    for (const target of imports.get(path) ?? []) walk(target, [...trail, path])
    done.add(path)
  }
  for (const path of imports.keys()) walk(path, [])
  return found
}
for (const [folder, allowed] of Object.entries(MAY_IMPORT)) {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
    (name) =>
      /\.tsx?$/.test(name) &&
      !/\.test\.tsx?$/.test(name) &&
      !/(^|\/)(node_modules|dist|\.tidemark|\.wrangler|template|template-database|template-page)\//.test(name),
  )
  for (const name of files) {
    const path = join(folder, name)
    const source = readFileSync(path, 'utf8')
    const targets = [...source.matchAll(IMPORT)].map(([, target = '']) => normalize(join(dirname(path), target)))
    imports.set(path, targets)
    for (const target of targets) {
      const [top = ''] = target.split(sep)
      const fault = allowed.includes(top)
        ? roomFault(path, target)
        : `${path} imports ${target}: ${folder}/ may import only ${allowed.join(', ')}`
      if (fault !== null) faults.push(fault)
    }
    if (OF_TYPEORM.test(source) && !KNOWS_TYPEORM.some((room) => path.startsWith(`${room}${sep}`)))
      faults.push(`${path} imports typeorm: only ${KNOWS_TYPEORM.join(', ')} may`)
    if (path.includes(`${sep}rules${sep}`)) {
      const found = IMPURE.exec(source)
      if (found) faults.push(`${path} is a rule and must stay pure, but names ${found[0]}`)
    }
  }
}
for (const fault of [...faults, ...circles()]) console.log(fault)
process.exitCode = faults.length + circles().length === 0 ? 0 : 1
