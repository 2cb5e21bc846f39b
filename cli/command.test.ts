import { expect, test } from 'vitest'
import { type Command, commandHelp, parseInvocation, programHelp, usageLine } from './command.ts'

const command: Command = {
  name: 'serve',
  summary: 'Serves.',
  details: ['More of it.'],
  argument: { name: 'folder', help: 'where', required: false },
  options: [
    { name: 'port', value: '<port>', env: 'PORT', help: 'the port' },
    { name: 'reset', help: 'forget' },
  ],
  run: async () => 0,
}

test('MIG-17 options, environment and argument are read; what is given beats the environment', () => {
  const parsed = parseInvocation(command, ['app', '--port', '80', '--reset'], { PORT: '90' })
  expect(parsed).toEqual({
    kind: 'run',
    invocation: { argument: 'app', values: { port: '80' }, switches: new Set(['reset']) },
  })
  const fromEnvironment = parseInvocation(command, [], { PORT: '90' })
  expect(fromEnvironment).toMatchObject({ invocation: { argument: undefined, values: { port: '90' } } })
  expect(parseInvocation(command, ['--port=70'], {})).toMatchObject({ invocation: { values: { port: '70' } } })
})

test.each([
  [['--nope'], 'unknown option --nope'],
  [['-x'], 'unknown option -x'],
  [['--port'], '--port needs a value: --port <port>'],
  [['--port='], '--port needs a value: --port <port>'],
  [['--reset=yes'], '--reset takes no value'],
  [['a', 'b'], 'b is one argument too many'],
])('CLI-R1 misuse is named: %j', (args, problem) => {
  expect(parseInvocation(command, args, {})).toEqual({ kind: 'misused', problem })
})

test('CLI-R1 a required argument that is missing, and one where none is taken', () => {
  const required: Command = { ...command, argument: { name: 'folder', help: 'where', required: true } }
  expect(parseInvocation(required, [], {})).toEqual({ kind: 'misused', problem: 'folder is missing' })
  expect(parseInvocation({ ...command, argument: null }, ['a'], {})).toMatchObject({ kind: 'misused' })
  expect(usageLine(required)).toBe('Usage: tidemark serve folder [options]')
})

test('MIG-17 help names every option and its environment variable', () => {
  expect(parseInvocation(command, ['--reset', '-h'], {})).toEqual({ kind: 'help' })
  const help = commandHelp(command)
  expect(help).toContain('--port <port>')
  expect(help).toContain('(or PORT)')
  expect(help).toContain('--reset')
  expect(programHelp([command])).toContain('serve  Serves.')
})
