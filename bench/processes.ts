import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

const MEGABYTE_KB = 1_024

interface Process {
  readonly pid: number
  readonly parent: number
  readonly command: string
}

function descendants(): Process[] {
  const all = execFileSync('ps', ['-o', 'pid=,ppid=,comm=', '-A'], { encoding: 'utf8' })
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .map(([pid, parent, command = '']): Process => ({ pid: Number(pid), parent: Number(parent), command }))
  const ours = new Set([process.pid])
  // Parents stand before their children almost always; a second pass finds the rest.
  for (let pass = 0; pass < 2; pass++) for (const { pid, parent } of all) if (ours.has(parent)) ours.add(pid)
  return all.filter(({ pid }) => pid !== process.pid && ours.has(pid))
}

/** Sums the proportional set size, which counts shared pages once, of descendants with this name. Linux only. */
export function memoryMb(command: string): number {
  return descendants()
    .filter((candidate) => candidate.command === command)
    .reduce((sum, { pid }) => sum + proportionalKb(pid) / MEGABYTE_KB, 0)
}

/** Reads the proportional set size of one process. Linux only. */
export const processMb = (pid: number) => proportionalKb(pid) / MEGABYTE_KB

function proportionalKb(pid: number): number {
  try {
    return Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0)
  } catch {
    // A server process of Postgres may have ended since it was listed.
    return 0
  }
}

const TICK_MS = 10

/** Sums the processor time that descendants with this name have taken so far. Linux only. */
export function cpuMs(command: string): number {
  return descendants()
    .filter((candidate) => candidate.command === command)
    .reduce((sum, { pid }) => sum + ticks(pid) * TICK_MS, 0)
}

function ticks(pid: number): number {
  try {
    const [, fields = ''] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')
    const [user, system] = fields.split(' ').slice(11, 13)
    return Number(user) + Number(system)
  } catch {
    return 0
  }
}

/** Runs `work` and samples meanwhile; answers the largest sample. */
export async function peakMemoryMb(command: string, everyMs: number, work: () => Promise<unknown>): Promise<number> {
  let peak = memoryMb(command)
  const timer = setInterval(() => {
    peak = Math.max(peak, memoryMb(command))
  }, everyMs)
  try {
    await work()
  } finally {
    clearInterval(timer)
  }
  return Math.max(peak, memoryMb(command))
}
