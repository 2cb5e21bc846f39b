import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { TidemarkError } from '../../protocol/errors.ts'
import { killGroup } from './child-process.ts'
import { isProcess } from './running-process.ts'

interface Running {
  readonly pid: number
  /** Leads the process group of the Worker's server; 0 while there is none. */
  readonly workerPid: number
}

export interface RunningLock {
  noteWorker(workerPid: number): void
  release(): void
}

/**
 * Takes the data folder for this process.
 *
 * A run that was killed outright may have left a Worker behind: it is ended here. Throws `bad-input` while another run lives.
 */
export async function takeRunningLock(path: string): Promise<RunningLock> {
  const before = readRunning(path)
  if (
    before !== null &&
    before.pid !== process.pid &&
    isProcess(before.pid, (command) => /tidemark|cli[\\/]main/.test(command))
  ) {
    throw new TidemarkError(
      'bad-input',
      `tidemark dev already runs on this data folder (process ${before.pid}). End it, or choose another with --data-dir.`,
    )
  }
  if (before !== null && isProcess(before.workerPid, (command) => command.includes('wrangler'))) {
    await killGroup(before.workerPid)
  }
  const write = (workerPid: number) =>
    writeFileSync(path, JSON.stringify({ pid: process.pid, workerPid } satisfies Running))
  write(0)
  return { noteWorker: write, release: () => rmSync(path, { force: true }) }
}

function readRunning(path: string): Running | null {
  try {
    const { pid, workerPid } = JSON.parse(readFileSync(path, 'utf8')) as Partial<Running>
    return Number.isInteger(pid) ? { pid: pid ?? 0, workerPid: workerPid ?? 0 } : null
  } catch {
    return null
  }
}
