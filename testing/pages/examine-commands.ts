import { readFileSync } from 'node:fs'
import { COMMANDS } from '../../cli/all-commands.ts'
import { parseInvocation } from '../../cli/command.ts'
import { appManifest } from '../../cli/init/app-manifest.ts'
import { readPage } from '../cli/read-guide.ts'

/** Pages whose commands a test runs as they stand, in their order. */
const FOLLOWED: Readonly<Record<string, string>> = {
  'docs/getting-started.md': 'e2e/getting-started.test.ts',
  'docs/existing-database.md': 'e2e/existing-database.test.ts',
}

/** Commands that no check runs, by how they begin, each with the reason. */
const NOT_RUN: readonly (readonly [begins: RegExp, reason: string])[] = [
  [/^npm install$/, 'takes packages from the network; each test of a scaffold does it with the packed package'],
  [/^cd [\w-]+$/, 'changes the folder'],
  [/^export DATABASE_URL=/, 'stands for the address that the reader has'],
  [
    /^npx wrangler deploy( |$)/,
    'asks for an account of Cloudflare; e2e/deploy.test.ts does what it does without uploading',
  ],
  [/^npx wrangler (login|secret put|r2 bucket create)( |$)/, 'asks for an account of Cloudflare'],
  [/^curl .*\/health(\/replication)?$/, 'asks a deployment; workers/http/app.workerd.test.ts asks these routes'],
  [/^curl .*\/sync\/(history\/|activity)/, 'asks a deployment; workers/http/history.workerd.test.ts asks these routes'],
  [
    /^curl .*\/ops\/(state|sync\?object=[\w:]+'|actions)$/,
    'asks a deployment; e2e/operations.test.ts runs it as it stands',
  ],
  [/^npx drizzle-kit generate /, 'is the reader’s; e2e/migrations-by-others.test.ts runs it'],
]

/** Languages of blocks in which nothing is to be run. */
const NOT_CODE: Readonly<Record<string, string>> = {
  '': 'what a command prints; commands in it, after a $, are examined',
  mermaid: 'a picture',
  toml: 'settings of Wrangler',
  yaml: 'settings of Prometheus',
}
/** What other files run or compile: the modules of `write-modules.ts`, and `sql-of-pages.postgres.test.ts`. */
const ELSEWHERE = ['ts', 'tsx', 'sql']

/** Finds commands of a page that do not exist or lack a reason not to be run, and blocks of unknown languages. */
export function commandFaults(page: string, scripts: ReadonlySet<string>): string[] {
  const inLines = linesOf(readFileSync(page, 'utf8'), /`(?:npx )?(tidemark [a-z][^`…]*)`/g)
  // A sentence may name a command without what it needs.
  const within = inLines.flatMap((command) => faultOf(command, scripts)).filter((fault) => !/ is missing$/.test(fault))
  return within.map((fault) => `${page}: ${fault}`).concat(blockFaults(page, scripts))
}

function blockFaults(page: string, scripts: ReadonlySet<string>): string[] {
  return readPage(page).flatMap(({ line, language, text }) => {
    const at = (fault: string) => `${page}:${line}: ${fault}`
    if (ELSEWHERE.includes(language)) return []
    if (language === 'json') return isJson(text) ? [] : [at('this is no JSON')]
    if (language !== 'sh') {
      const said = NOT_CODE[language] === undefined ? [at(`blocks of ${language} are neither run nor excused`)] : []
      return [...said, ...linesOf(text, /^\$ (.*)$/gm).flatMap((command) => faultOf(command, scripts).map(at))]
    }
    const test = FOLLOWED[page]
    if (test !== undefined && !readFileSync(test, 'utf8').includes(page.replace('docs/', '')))
      return [at(`${test} does not follow this page`)]
    return linesOf(text, /^(.+)$/gm).flatMap((command) => (test === undefined ? faultOf(command, scripts).map(at) : []))
  })
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

const linesOf = (text: string, line: RegExp) =>
  [...text.matchAll(line)].map(([, command = '']) => command.replace(/\s+# .*$/, '').trim())

function faultOf(line: string, scripts: ReadonlySet<string>): string[] {
  const [program, name, ...rest] = line.replace(/^npx tidemark/, 'tidemark').match(/'[^']*'|"[^"]*"|\S+/g) ?? []
  if (program === 'tidemark') {
    const command = COMMANDS.find((candidate) => candidate.name === name)
    if (command === undefined) return [`tidemark has no command ${name}`]
    const parsed = parseInvocation(command, rest, {})
    return parsed.kind === 'misused' ? [`${line}: ${parsed.problem}`] : []
  }
  const script = /^(?:[A-Z]+=\S+ )?npm (?:run )?([\w:]+)$/.exec(line)?.[1]
  if (script !== undefined && script !== 'install') return scripts.has(script) ? [] : [`there is no script ${script}`]
  return NOT_RUN.some(([begins]) => begins.test(line)) ? [] : [`${line}: no test runs it, and no reason says why`]
}

/** The scripts of this package and of what `tidemark init` writes. */
export function knownScripts(): Set<string> {
  const own = JSON.parse(readFileSync('package.json', 'utf8'))
  return new Set(
    [own.scripts, appManifest('app', own, 'node').scripts].flatMap((scripts) => Object.keys(scripts as object)),
  )
}
