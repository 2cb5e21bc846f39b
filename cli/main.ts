#!/usr/bin/env node
import { toTidemarkError } from '../protocol/errors.ts'
import { COMMANDS } from './all-commands.ts'
import { commandHelp, parseInvocation, programHelp, usageLine } from './command.ts'
import { packageVersion } from './package-root.ts'

/** Runs the program and returns its exit code: 0 done, 1 failed, 2 called wrongly. */
async function main(args: readonly string[]): Promise<number> {
  const [first, ...rest] = args
  if (first === undefined || first === '--help' || first === '-h' || first === 'help') {
    const asked = COMMANDS.find((candidate) => candidate.name === rest[0])
    console.log(asked ? commandHelp(asked) : programHelp(COMMANDS))
    return 0
  }
  if (first === '--version' || first === '-v') {
    console.log(packageVersion())
    return 0
  }
  const command = COMMANDS.find((candidate) => candidate.name === first)
  if (command === undefined) {
    const what = first.startsWith('-') ? 'option' : 'command'
    console.error(`tidemark: unknown ${what} ${first}\nRun tidemark --help to see what there is.`)
    return 2
  }
  const parsed = parseInvocation(command, rest, process.env)
  switch (parsed.kind) {
    case 'help':
      console.log(commandHelp(command))
      return 0
    case 'misused':
      console.error(
        `tidemark ${command.name}: ${parsed.problem}\n${usageLine(command)}\nRun tidemark ${command.name} --help for more.`,
      )
      return 2
    case 'run':
      return await command.run(parsed.invocation)
  }
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (caught) {
  const error = toTidemarkError(caught)
  // A fault of our own is worth its stack; everything else is one message that says what to do.
  const stack = error.kind === 'internal' && caught instanceof Error ? `\n${caught.stack}` : ''
  console.error(`tidemark: ${error.message}${stack}`)
  process.exitCode = 1
}
