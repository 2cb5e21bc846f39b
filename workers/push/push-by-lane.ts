import type { PushAnswer } from '../../protocol/index.ts'
import type { PushCall } from '../contracts.ts'
import type { SyncEnv } from '../env.ts'
import { isTyped } from '../typed-error.ts'
import type { PushOptions } from './options.ts'
import { receivePush } from './push.ts'
import { PushConnection } from './push-connection.ts'
import { workerSessions } from './push-sessions.ts'
import { laneName } from './rules/lane-name.ts'

/**
 * Decides a push in the user's lane, or here where the lane is busy or fails: what the lane may have done before is
 * found stored. Rule PSH-R14.
 *
 * Throws what `receivePush` throws.
 */
export async function pushByLane(
  options: PushOptions,
  env: SyncEnv,
  call: PushCall,
  background: (work: Promise<void>) => void,
): Promise<PushAnswer> {
  const answer = await askLane(options, env, call)
  if (answer !== null) return answer
  const connection = new PushConnection(workerSessions(env), Date.now)
  try {
    return await receivePush(options, { ...env }, connection, call.session, call.body)
  } finally {
    background(connection.close())
  }
}

async function askLane({ location }: PushOptions, env: SyncEnv, call: PushCall): Promise<PushAnswer | null> {
  try {
    const hint = location ? { locationHint: location } : {}
    return await env.SYNC.getByName(laneName(call.session.userId), hint).push(call)
  } catch (error) {
    if (isTyped(error)) throw error
    return null
  }
}
