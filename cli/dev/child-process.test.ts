import { expect, test } from 'vitest'
import { groupLives, startChild } from './child-process.ts'

const STUBBORN = `
const { spawn } = require('node:child_process')
const script = "process.on('SIGINT', () => {}); process.on('SIGTERM', () => {}); console.log('child ' + process.pid); setInterval(() => {}, 1000)"
process.on('SIGINT', () => {}); process.on('SIGTERM', () => {})
spawn(process.execPath, ['-e', script], { stdio: 'inherit' })
`

test('CLI-R8 a process that ignores requests to end is killed, with all it started', async () => {
  let heard: (line: string) => void = () => {}
  const line = new Promise<string>((resolve) => {
    heard = resolve
  })
  const child = startChild({
    command: process.execPath,
    args: ['-e', STUBBORN],
    cwd: process.cwd(),
    env: process.env,
    onLine: (text) => heard(text),
    escalation: [
      { signal: 'SIGINT', waitMs: 100 },
      { signal: 'SIGTERM', waitMs: 100 },
      { signal: 'SIGKILL', waitMs: 5_000 },
    ],
  })
  expect(await line).toMatch(/^child \d+$/)
  expect(groupLives(child.pid)).toBe(true)
  await child.stop()
  expect(groupLives(child.pid)).toBe(false)
  expect(await child.ended).toBe('SIGKILL')
})

test('CLI-R2 a command that does not exist ends with its reason', async () => {
  const child = startChild({ command: '/no/such/program', args: [], cwd: process.cwd(), env: {}, onLine: () => {} })
  expect(await child.ended).toContain('ENOENT')
  await child.stop()
})
