import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, sep } from 'node:path'

/** Folder → folders of ours that its product code may import; tests may import anything. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  protocol: ['protocol'],
  db: ['db', 'protocol'],
  workers: ['workers', 'db', 'protocol'],
  client: ['client', 'db', 'protocol'],
  cli: ['cli', 'workers', 'db', 'protocol'],
  examples: ['examples'],
}
/** What a pure rule may not name: platform, driver, replica, clock, timers, randomness. */
const IMPURE =
  /from '(cloudflare:|@neondatabase|@electric-sql|node:|hono|ws')|\bDate\.now\b|\bMath\.random\b|\bset(Timeout|Interval)\b|\bnew Date\(\)/
const IMPORT = /(?:from|import\(|import)\s*'(\.[^']+)'/g

const faults: string[] = []
for (const [folder, allowed] of Object.entries(MAY_IMPORT)) {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
    (name) =>
      /\.tsx?$/.test(name) &&
      !/\.test\.ts$/.test(name) &&
      !/(^|\/)(node_modules|dist|\.tidemark|\.wrangler|template)\//.test(name),
  )
  for (const name of files) {
    const path = join(folder, name)
    const source = readFileSync(path, 'utf8')
    for (const [, target = ''] of source.matchAll(IMPORT)) {
      const [room = ''] = normalize(join(dirname(path), target)).split(sep)
      if (!allowed.includes(room))
        faults.push(`${path} imports ${target}: ${folder}/ may import only ${allowed.join(', ')}`)
    }
    if (path.includes(`${sep}rules${sep}`)) {
      const found = IMPURE.exec(source)
      if (found) faults.push(`${path} is a rule and must stay pure, but names ${found[0]}`)
    }
  }
}
for (const fault of faults) console.log(fault)
process.exitCode = faults.length === 0 ? 0 : 1
