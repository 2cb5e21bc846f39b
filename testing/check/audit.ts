import { spawnSync } from 'node:child_process'
import { judgeAudit } from './audit-verdict.ts'

/** Asks npm's registry for advisories on what the package depends on; fails on a high one, never without a network. */
const { stdout } = spawnSync('npm', ['audit', '--omit=dev', '--audit-level=high', '--json', '--fetch-retries=0'], {
  encoding: 'utf8',
  timeout: 60_000,
})
const { line, isBad } = judgeAudit(stdout ?? '')
console.log(line)
process.exitCode = isBad ? 1 : 0
