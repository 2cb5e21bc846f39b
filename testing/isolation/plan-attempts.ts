import type { Random } from '../oracle/random.ts'

/** The token that an attempt shows; only the first two are this user's own and valid. */
export type Shown = 'own' | 'own-again' | 'forged' | 'expired' | 'garbled' | 'none'

/** One thing that a user tries who may see organisation `a` and is after `b`. */
export type Attempt =
  | { readonly kind: 'get'; readonly path: string; readonly shown: Shown }
  | { readonly kind: 'post'; readonly path: string; readonly body: unknown; readonly shown: Shown }
  | { readonly kind: 'socket'; readonly frames: readonly string[]; readonly shown: Shown }

/** The object of an attempt: something of others that is there, or the same of something that exists nowhere. */
export interface Target {
  readonly audience: string
  readonly user: string
  readonly id: string
  readonly client: string
}

const TABLES = [
  'public.memo',
  'public.diary',
  'public.plan',
  'public.remark',
  'public.mark',
  'public.vault',
  'public.member',
]
const OWN_TABLES = ['tidemark.mutation', 'tidemark.change_history', 'tidemark.sync_definition', 'pg_catalog.pg_authid']
const COLUMNS = [
  'id',
  'title',
  'body',
  'secret',
  'org_id',
  'user_id',
  'memo_id',
  'remark_id',
  'hushed',
  'tidemark_audience',
  'xmin',
  'ctid',
  'nothing',
]
const ODD = ['', '*', "b' OR '1'='1", 'b"; SELECT 1; --', '../../b', '%62', 'a\u0000b', 'b ', 'B', '__proto__', '{b}']
const AT = '2026-01-02T03:04:05.678Z'

/** Plans the same attempt for any target, by the choices that `random` makes. */
export function planAttempt(random: Random, target: Target): Attempt {
  const shown = random.weighted<Shown>({ own: 60, 'own-again': 10, forged: 8, expired: 6, garbled: 8, none: 8 })
  const kind = random.weighted({ snapshot: 18, page: 6, push: 44, outcomes: 8, socket: 24 })
  switch (kind) {
    case 'snapshot':
      return { kind: 'get', path: snapshotPath(random, target), shown }
    case 'page':
      return {
        kind: 'get',
        path: random.pick(['/health/replication', '/health/sync?object=org:b', '/sync/head', '/metrics', '/ops']),
        shown,
      }
    case 'push':
      return { kind: 'post', path: '/sync/push', body: push(random, target), shown }
    case 'outcomes': {
      const counters = [1, 2, random.below(100) + 1]
      return { kind: 'post', path: '/sync/outcomes', body: { protocol: 0, client: target.client, counters }, shown }
    }
    case 'socket':
      return { kind: 'socket', frames: frames(random, target), shown }
  }
}

function snapshotPath(random: Random, { audience, client, user }: Target): string {
  const name = random.pick([
    audience,
    `user:${user}`,
    `client:${client}`,
    `${audience}${random.pick(ODD)}`,
    random.pick(ODD),
  ])
  const chunk = random.chance(0.4) ? `/${Array.from({ length: 64 }, () => random.below(16).toString(16)).join('')}` : ''
  return `/sync/snapshot/${encodeURIComponent(name)}${chunk}${random.chance(0.2) ? `?client=${client}` : ''}`
}

function push(random: Random, target: Target): unknown {
  const client = random.chance(0.15) ? target.client : anyClient(random)
  const mutations = Array.from({ length: 1 + random.below(3) }, (_, index) =>
    random.chance(0.3) ? action(random, target, index + 1) : patch(random, target, index + 1),
  )
  return { protocol: 0, client, acknowledged: random.chance(0.2) ? 1_000 : 0, mutations }
}

const anyClient = (random: Random) => `fuzz-${Array.from({ length: 20 }, () => random.below(36).toString(36)).join('')}`

function action(random: Random, { id, audience }: Target, counter: number): unknown {
  const name = random.pick(['read', 'write', 'write', 'constructor', 'toString', '__proto__'])
  const args = random.pick<unknown>([{ id }, { id, body: 'taken over' }, { id: [id] }, id, null])
  const predicted = random.chance(0.5)
    ? null
    : [{ o: 'u', t: random.pick(TABLES), a: audience, k: { id }, d: { title: 'taken over' } }]
  return { counter, at: AT, after: random.chance(0.2) ? [counter + 1] : [], kind: 'action', name, args, predicted }
}

function patch(random: Random, target: Target, counter: number): unknown {
  const rows = Array.from({ length: 1 + random.below(3) }, () => patchRow(random, target))
  return { counter, at: AT, after: [], kind: 'patch', rows }
}

/** Plans an update or delete of somebody's row, or a move of one to them; never an insert under a key that is taken. */
function patchRow(random: Random, { id, audience, user }: Target): unknown {
  const t = random.chance(0.85) ? random.pick(TABLES) : random.pick([...OWN_TABLES, ...ODD])
  const a = random.pick([audience, 'org:a', 'user:mia', `user:${user}`, `org:${random.pick(ODD)}`])
  const key = random.chance(0.85) ? { id } : { [random.pick(COLUMNS)]: random.pick([id, ...ODD]) }
  const column = random.pick(COLUMNS)
  const value = random.pick<string | null>(['taken over', id, 'b', user, null, ...ODD])
  const kind = random.weighted({ update: 60, delete: 20, move: 20, join: 20 })
  if (kind === 'join') return joiningRow(random, id, a)
  if (kind === 'delete') return { o: 'd', t, a, k: key }
  const d = kind === 'move' ? { [random.pick(['org_id', 'user_id'])]: random.pick(['b', user]) } : { [column]: value }
  const [name = ''] = Object.keys(d)
  const basis = random.pick<unknown>([{ v: null }, { v: 'first' }, { m: 1 }, { v: 'a' }])
  const k = kind === 'move' ? { id: 'a-1' } : key
  return { o: 'u', t, a, k, d, b: { [name]: basis } }
}

/** Plans a row of the user's own that would join another's: one that is there, or one that is new. */
function joiningRow(random: Random, id: string, a: string): unknown {
  const [t, column] = random.pick([
    ['public.remark', 'memo_id'],
    ['public.mark', 'remark_id'],
  ] as const)
  if (random.chance(0.5)) return { o: 'u', t, a, k: { id: 'a-1' }, d: { [column]: id }, b: { [column]: { v: 'a-1' } } }
  const own = random.chance(0.7) ? { tidemark_audience: null } : { tidemark_audience: random.pick(['a', 'b']) }
  const key = { id: `new-${random.below(1_000_000)}` }
  const d = { ...key, [column]: id, body: 'taken over', ...own }
  return { o: 'i', t, a: random.pick([a, '']), k: key, d, ...(random.chance(0.7) ? { z: ['tidemark_audience'] } : {}) }
}

function frames(random: Random, target: Target): string[] {
  const hello = {
    type: 'hello',
    protocol: 0,
    client: random.chance(0.3) ? target.client : anyClient(random),
    epoch: random.pick([null, 'somewhen']),
    cursor: random.pick([null, '0'.repeat(16)]),
    definitionVersion: random.pick([null, 1]),
    definitionHash: random.pick([null, 'anything']),
    audiences: random.pick([[], [target.audience], ['org:a', target.audience, `user:${target.user}`]]),
    unsettled: random.chance(0.5),
  }
  const stream = {
    type: 'stream',
    epoch: random.pick(['«epoch»', 'somewhen']),
    from: '0'.repeat(16),
    rowsTo: 'f'.repeat(16),
  }
  const odd = random.pick<unknown>([
    { type: 'ack', received: -1, cursor: null },
    { type: 'token', token: 'x.y.z' },
    { type: 'audiences', audiences: [target.audience] },
    { ...hello, extra: target.audience },
    [hello],
    'no frame',
  ])
  // A frame without meaning ends the socket, so that its end can be waited for.
  return [...(random.chance(0.85) ? [hello] : []), ...(random.chance(0.7) ? [stream] : []), odd, 'end'].map((frame) =>
    JSON.stringify(frame),
  )
}
