import { SignJWT } from 'jose'
import { createSyncWorker, jwt } from 'tidemark/workers'
import { sync } from './sync.ts'

type Env = { JWT_SECRET: string; LOGIN_STUB?: string }

/** The token names the user and the team whose tasks they may see. */
export const { worker, ReplicationDO, SyncDO, SnapshotDO } = createSyncWorker(sync, {
  ...jwt({ secret: (env) => env.JWT_SECRET, audiences: (claims) => [`team:${claims.team}`] }),
})

/** A stub in place of your login: whoever gives a name is in the red team. */
async function logIn(request: Request, env: Env): Promise<Response> {
  if (!env.LOGIN_STUB) return new Response('Not found', { status: 404 })
  const claims = new SignJWT({ team: 'red' }).setSubject(await request.text()).setExpirationTime('1h')
  const key = new TextEncoder().encode(env.JWT_SECRET)
  return new Response(await claims.setProtectedHeader({ alg: 'HS256' }).sign(key))
}

export default {
  ...worker,
  fetch: (request: Request, env: Env, context: Parameters<typeof worker.fetch>[2]) =>
    new URL(request.url).pathname === '/login' ? logIn(request, env) : worker.fetch(request, env, context),
}
