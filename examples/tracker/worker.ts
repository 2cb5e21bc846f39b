import { Hono } from 'hono'
import { SignJWT } from 'jose'
import { createSyncWorker, jwt } from 'tidemark/workers'
import { demoUsers } from './demo-users.ts'
import { recordActivity } from './record-activity.ts'
import { serverActions } from './server-actions.ts'
import { sync } from './sync.ts'

interface Env {
  readonly JWT_SECRET: string
  /** Set where any visitor may log in as any of the seeded people. */
  readonly DEMO_LOGIN?: string
}

const { authenticate } = jwt({ secret: (env) => String(env.JWT_SECRET), audiences: () => [] })

/**
 * A short-lived token identifies the user; the database decides what they may see, and changes that on open sockets
 * too.
 */
export const { worker, ReplicationDO, SyncDO, SnapshotDO } = createSyncWorker(sync, {
  authenticate,
  audiences: async ({ userId, sql }) => {
    const memberships = await sql`SELECT org_id FROM public.membership WHERE user_id::text = ${userId}`
    return [...memberships.map(({ org_id }) => `org:${org_id}`), `user:${userId}`]
  },
  actions: serverActions,
  onCommitted: recordActivity,
  history: true,
})

const app = new Hono<{ Bindings: Env }>()

app.use('/demo/*', async (context, next) => (context.env.DEMO_LOGIN ? await next() : context.notFound()))

app.get('/demo/users', (context) =>
  context.json({
    users: demoUsers.map(({ id, name, email, memberships }) => ({
      id,
      name,
      email,
      organizations: memberships.map(({ organization }) => organization.name),
    })),
  }),
)

app.post('/demo/login', async (context) => {
  const body: unknown = await context.req.json().catch(() => null)
  const asked = typeof body === 'object' && body !== null && 'user' in body ? body.user : null
  const user = demoUsers.find((candidate) => candidate.id === asked)
  if (!user) return context.json({ error: 'There is no such demo user; GET /demo/users lists them.' }, 404)
  const token = await new SignJWT()
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(user.id)
    .setIssuedAt()
    .setExpirationTime('15m')
    .sign(new TextEncoder().encode(context.env.JWT_SECRET))
  return context.json({ token })
})

app.all('*', (context) => worker.fetch(context.req.raw, context.env, context.executionCtx))

export default { fetch: app.fetch, scheduled: worker.scheduled }
