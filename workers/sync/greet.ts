import { clientAudience, type Hello, LIMITS, TidemarkError, ZERO_LSN } from '../../protocol/index.ts'
import { checkBundle } from '../access/check-bundle.ts'
import { asClient } from '../database/index.ts'
import type { Rights } from './rights.ts'
import { positionAt } from './rules/position.ts'
import { decideResume, speaksOurProtocol } from './rules/resume.ts'
import type { SyncSession } from './sessions.ts'
import type { Subscription } from './subscription.ts'
import type { SyncContext } from './sync-context.ts'

/** Answers a hello: whose client it is, what it may see, and whether it goes on or hydrates. Throws typed errors. */
export async function greet(
  context: SyncContext,
  subscription: Subscription,
  rights: Rights,
  session: SyncSession,
  hello: Hello,
): Promise<void> {
  const { storage, sessions, limits, nowMs } = context
  if (!speaksOurProtocol(hello)) {
    throw new TidemarkError(
      'upgrade-required',
      `This server speaks protocol ${LIMITS.protocolVersion}; load the app anew.`,
    )
  }
  await bindClient(context, hello.client, session.state.userId)
  session.update({ client: hello.client, migration: hello.migration })
  const own = clientAudience(hello.client)
  await subscription.ensure(session.audiences, { audience: own, unsettled: hello.unsettled })
  // From now on the subscription reports changes of rights, but it missed those made since the Worker asked.
  if (storage.state.watches) rights.doubt(session)
  await rights.ascertain(session)
  if (!session.open) return
  const { epoch, head, floor, definitionVersion, definitionHash } = storage.state
  if (epoch === null || head === null)
    throw new TidemarkError('unavailable', 'Capture has not begun a history yet; try again soon.')
  await checkBundle(hello.migration, storage.state.bundles, (ask) => context.withDatabase(({ query }) => ask(query)))
  if (!session.open) return
  for (const other of sessions) {
    if (
      other !== session &&
      other.state.client === hello.client &&
      other.state.openedAtMs <= session.state.openedAtMs
    ) {
      other.refuse('already-open', 'This replica has connected anew elsewhere.', nowMs())
    }
  }
  const server = { epoch, definitionVersion, definitionHash, floor, audiences: session.audiences }
  const isToLoad = storage.clients.isToLoad(hello.client)
  const { resume, reason, from } = decideResume(hello, { ...server, isToLoad })
  storage.putHello(session.state.id, null)
  const audiences = [...session.audiences]
  session.sendFrame(
    {
      type: 'welcome',
      epoch,
      head,
      definitionVersion,
      definitionHash,
      audiences,
      resume,
      reason,
      windowBytes: limits.windowChars,
    },
    nowMs(),
    {
      // Its pushes from here on come above the place at which its audience joined.
      settledTo: hello.unsettled ? ZERO_LSN : (storage.startOf(own) ?? ZERO_LSN),
      rowsTo: null,
      phase: resume === 'stream' ? 'streaming' : 'hydrating',
      position: from === null ? null : positionAt(from),
      streamSinceMs: nowMs(),
    },
  )
}

/** Binds a client's id for good to the first user who shows it. Throws `forbidden` to any other. */
async function bindClient(context: SyncContext, client: string, userId: string): Promise<void> {
  const { storage, limits, withDatabase } = context
  let owner = storage.ownerOf(client)
  if (owner === null) {
    const bound = await withDatabase((database) =>
      asClient(database, { userId, audiences: [] }, async ({ query }) => {
        await query('INSERT INTO tidemark.client (id, user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING', [
          client,
          userId,
        ])
        // Row-level security shows users only their own clients.
        return await query('SELECT id FROM tidemark.client WHERE id = $1', [client])
      }),
    )
    if (bound.length > 0) {
      storage.rememberClient(client, userId, limits.knownClients)
      owner = userId
    }
  }
  if (owner !== userId) throw new TidemarkError('forbidden', 'This client id is not yours; make a new one.')
}
