import { spawn } from 'node:child_process'

/** The one check: format, lint, import directions, types for each runtime, the example's tables, dead code, and rules against tests. */
const STEPS: readonly (readonly [name: string, command: string, ...args: string[]])[] = [
  ['format and lint', 'biome', 'ci', '--colors=off', '--error-on-warnings', '.'],
  ['import directions', 'node', 'testing/check/import-directions.ts'],
  ['order of what is selected', 'node', 'testing/check/sql-order.ts'],
  ['SQL on tables of ours in the replica', 'node', 'testing/check/local-port.ts'],
  ['catalogue and rules', 'node', 'testing/check/catalogue.ts'],
  ['links between pages', 'node', 'testing/check/pages.ts'],
  ['code of pages', 'node', 'testing/check/page-code.ts'],
  ...[
    'portable',
    'entity',
    'workers',
    'client',
    'node',
    'workers-tests',
    'workerd-tests',
    'ops-page',
    'page',
    'service-worker',
    'example',
    'example-node',
    'example-entities',
  ].map((runtime) => [`types: ${runtime}`, 'tsc', '-p', `tsconfig/${runtime}.json`, '--pretty', 'false'] as const),
  ['tables of the example', 'node', 'dist/cli/main.js', 'build', '--check', 'examples/tracker'],
  ['dead code', 'knip'],
]

async function run(step: (typeof STEPS)[number]): Promise<boolean> {
  const [name, command, ...args] = step
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text))
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  console.log(`${code === 0 ? 'ok  ' : 'FAIL'} ${name}`)
  if (code !== 0) console.log(output)
  return code === 0
}

const waiting = [...STEPS]
const results: boolean[] = []
await Promise.all(
  [1, 2].map(async () => {
    for (let step = waiting.shift(); step; step = waiting.shift()) results.push(await run(step))
  }),
)
process.exitCode = results.every(Boolean) ? 0 : 1
