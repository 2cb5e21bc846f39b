import { neonConfig } from '@neondatabase/serverless'
import type { ReplicationRpc } from '../../workers/contracts.ts'
import type { SyncEnv } from '../../workers/env.ts'

/** Moments at which one object waits for something outside: it may be gone before its request, or before the answer. */
interface Failpoints {
  /** The number of those that were passed. */
  passed: number
  /** The one at which the object is reset; 0 for none. */
  readonly at: number
}

let active: Failpoints | null = null
let current: DurableObjectState | null = null

/** Counts the failpoints of the newest SyncDO during `run`, and resets it at the one given; answers their number. */
export async function withFailpoints(at: number, run: () => Promise<void>): Promise<number> {
  const points: Failpoints = { passed: 0, at }
  active = points
  neonConfig.webSocketConstructor = FailingSocket as unknown as typeof WebSocket
  try {
    await run()
  } finally {
    active = null
    neonConfig.webSocketConstructor = WebSocket
  }
  return points.passed
}

/** Watches an object; its reads and writes of the alarm are failpoints too. */
export function watchObject(state: DurableObjectState): void {
  current = state
  const { storage } = state
  const [getAlarm, setAlarm, deleteAlarm] = [
    storage.getAlarm.bind(storage),
    storage.setAlarm.bind(storage),
    storage.deleteAlarm.bind(storage),
  ]
  Object.assign(storage, {
    getAlarm: () => around(() => getAlarm()),
    setAlarm: (atMs: number) => around(() => setAlarm(atMs)),
    deleteAlarm: () => around(() => deleteAlarm()),
  })
}

function pass(): void {
  if (!active) return
  active.passed += 1
  if (active.passed === active.at) current?.abort('failpoint')
}

async function around<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
  pass()
  const answer = await ask()
  pass()
  return answer
}

/** Answers the environment of a SyncDO, with every call of the ReplicationDO watched. */
export function watchReplication(env: SyncEnv): SyncEnv {
  return {
    ...env,
    REPLICATION: {
      ...env.REPLICATION,
      getByName: (name: string) => {
        const stub: Pick<ReplicationRpc, 'subscribe' | 'unsubscribe'> = env.REPLICATION.getByName(name)
        return {
          subscribe: (request: Parameters<ReplicationRpc['subscribe']>[0]) => around(() => stub.subscribe(request)),
          unsubscribe: (name: string, version: number) => around(() => stub.unsubscribe(name, version)),
        }
      },
    } as unknown as SyncEnv['REPLICATION'],
  }
}

/** A socket on which every message to Postgres and from it is a failpoint. */
class FailingSocket {
  constructor(url: string) {
    const socket = new WebSocket(url)
    const send = socket.send.bind(socket)
    const listen = socket.addEventListener.bind(socket)
    Object.assign(socket, {
      send: (data: string | ArrayBuffer) => {
        try {
          pass()
        } catch {
          // The driver's sockets never throw here: an unsent message ends with the connection, as its waiters see.
          return
        }
        send(data)
      },
      addEventListener: (type: 'message', listener: (event: MessageEvent) => void) =>
        listen(type, (event) => {
          if (type === 'message') pass()
          listener(event)
        }),
    })
    // biome-ignore lint/correctness/noConstructorReturn: the driver calls it with `new`, and wants a socket.
    return socket
  }
}
