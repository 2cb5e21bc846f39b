import type { PushAnswer } from '../../protocol/index.ts'
import type { Session } from '../../workers/contracts.ts'
import type { SyncEnv } from '../../workers/env.ts'
import type { PushOptions } from '../../workers/push/options.ts'
import { receivePush } from '../../workers/push/push.ts'
import { PushConnection } from '../../workers/push/push-connection.ts'
import { workerSessions } from '../../workers/push/push-sessions.ts'

/** Pushes straight to the rules, over a connection of its own. */
export async function pushDirectly(
  options: PushOptions,
  env: SyncEnv,
  session: Session,
  body: unknown,
): Promise<PushAnswer> {
  const connection = new PushConnection(workerSessions(env), Date.now)
  try {
    return await receivePush(options, { ...env }, connection, session, JSON.stringify(body))
  } finally {
    await connection.close()
  }
}
