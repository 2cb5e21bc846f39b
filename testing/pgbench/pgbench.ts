import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { SYSTEM_BINARIES } from '../postgres/global-setup.ts'
import type { SystemApp } from '../system/start-system.ts'
import { sync } from './sync.ts'

export const pgbenchApp: SystemApp = {
  sync,
  syncModule: new URL('./sync.ts', import.meta.url),
  migrations: new URL('./migrations/', import.meta.url),
}

/** Runs a program of the Postgres client tools against a database and answers what it printed. */
export function runClientTool(
  name: 'pgbench' | 'psql',
  databaseUrl: string,
  args: readonly string[],
  input = '',
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(join(SYSTEM_BINARIES, name), [...args, databaseUrl], { stdio: ['pipe', 'pipe', 'pipe'] })
    let output = ''
    const collect = (text: string) => {
      output += text
    }
    child.stdout.setEncoding('utf8').on('data', collect)
    child.stderr.setEncoding('utf8').on('data', collect)
    child.once('error', reject)
    child.once('exit', (code) =>
      code === 0 ? resolve(output) : reject(new Error(`${name} ended with ${code}:\n${output}`)),
    )
    child.stdin.end(input)
  })
}

/** Fills the tables that the migration made: 100,000 accounts, 10 tellers and one branch per unit of scale. */
export async function fillPgbench(databaseUrl: string, scale = 1): Promise<void> {
  await runClientTool('pgbench', databaseUrl, ['-i', '-I', 'g', '-q', '-s', String(scale)])
}
