import { fork } from 'node:child_process'
import type { System } from '../testing/system/start-system.ts'
import { directUrl, tokenFor } from './bench-system.ts'
import type { FleetAnswer, FleetCommand } from './socket-fleet-process.ts'

/** Many raw socket clients in a process of their own, so that receiving does not delay writing. */
export interface SocketFleet {
  /** Resolves when every client has received the text of this mark; answers the time of each, in epoch milliseconds. */
  arrivals(mark: string): Promise<readonly number[]>
  /** Counts the characters of all frames that arrived on the present sockets, before any compression. */
  received(): Promise<number>
  /** Breaks all connections, then resolves when every client is streaming again. */
  reconnect(): Promise<void>
  close(): Promise<void>
}

export async function openSocketFleet(system: System, org: string, count: number): Promise<SocketFleet> {
  const tokens = await Promise.all(Array.from({ length: count }, () => tokenFor(system, org)))
  const child = fork(new URL('./socket-fleet-process.ts', import.meta.url), { stdio: 'inherit' })
  const waiting = new Map<number, { resolve: (times: readonly number[]) => void; reject: (error: Error) => void }>()
  let calls = 0
  child.on('message', ({ call, times }: FleetAnswer) => waiting.get(call)?.resolve(times))
  const ended = new Promise<void>((resolve) => {
    child.once('exit', (code) => {
      for (const { reject } of waiting.values()) reject(new Error(`The socket clients ended with code ${code}.`))
      resolve()
    })
  })
  const ask = (command: FleetCommand): Promise<readonly number[]> => {
    calls += 1
    const call = calls
    return new Promise<readonly number[]>((resolve, reject) => {
      waiting.set(call, { resolve, reject })
      child.send({ call, ...command })
    }).finally(() => waiting.delete(call))
  }
  await ask({ command: 'open', url: directUrl(system), audience: `org:${org}`, tokens })
  return {
    arrivals: (mark) => ask({ command: 'await', mark }),
    async received() {
      const [characters = 0] = await ask({ command: 'received' })
      return characters
    },
    async reconnect() {
      await ask({ command: 'reconnect' })
    },
    async close() {
      child.disconnect()
      await ended
    },
  }
}

/** Reads the clock that all processes of this machine share, in milliseconds with fractions. */
export const clockMs = () => performance.timeOrigin + performance.now()
