import { execFileSync } from 'node:child_process'

/** Tells whether this process runs and its command is the one meant: process ids are used again. */
export function isProcess(pid: number, isMeant: (command: string) => boolean): boolean {
  if (!Number.isInteger(pid) || pid <= 1) return false
  try {
    const shown = execFileSync('ps', ['-p', String(pid), '-o', 'command='], { stdio: ['ignore', 'pipe', 'ignore'] })
    return isMeant(shown.toString())
  } catch {
    return false
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
