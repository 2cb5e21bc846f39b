import { execFileSync } from 'node:child_process'
import { commandFaults, knownScripts } from '../pages/examine-commands.ts'
import { PAGES, writeModules } from '../pages/write-modules.ts'

/** Compiles the TypeScript of README and of every guide against the built package, and examines the commands in them. */
const scripts = knownScripts()
const faults = PAGES.flatMap((page) => commandFaults(page, scripts))
writeModules()
try {
  execFileSync('tsc', ['-p', 'tsconfig/pages.json', '--pretty', 'false'], { encoding: 'utf8' })
} catch (error) {
  const { stdout = '' } = error as { stdout?: string }
  // A module begins with a line of ours, and a block with its fence: lines are counted alike.
  faults.push(
    stdout.replaceAll(/^\.tidemark\/pages\/([\w-]+)\/(?:line-(\d+)\.tsx?|([\w/-]+\.ts))\((\d+),/gm, whereInPage),
  )
}
for (const fault of faults) console.error(fault)
process.exitCode = faults.length === 0 ? 0 : 1

function whereInPage(
  _: string,
  page: string,
  line: string | undefined,
  file: string | undefined,
  within: string,
): string {
  return line === undefined ? `${page}, ${file} (${within},` : `${page}:${Number(line) + Number(within) - 1} (`
}
