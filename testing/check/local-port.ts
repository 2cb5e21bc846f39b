import { readdirSync, readFileSync } from 'node:fs'
import { join, sep } from 'node:path'

/**
 * `client/store` is the one port to the local database: no other room of `client` writes SQL on Tidemark's own tables,
 * functions and settings. SQL on the app's own tables may stand wherever rows are written.
 */
const PORT = join('client', 'store')
/** Comments may name what they like. */
const COMMENT = /^\s*(?:\/\*[\s\S]*?\*\/|\/\/.*$)/gm
const OWN = /\btidemark"?\.[\w"]*/g

const files = readdirSync('client', { recursive: true, encoding: 'utf8' })
  .map((name) => join('client', name))
  .filter((path) => /\.tsx?$/.test(path) && !/\.test\.tsx?$/.test(path) && !path.startsWith(`${PORT}${sep}`))

for (const path of files) {
  const code = readFileSync(path, 'utf8').replaceAll(COMMENT, '')
  for (const [name] of code.matchAll(OWN)) {
    console.log(`${path}: SQL on ${name} belongs in a function of ${PORT}`)
    process.exitCode = 1
  }
}
