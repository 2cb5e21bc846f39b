import { randomUUID } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { DataSource, OptimisticLockVersionMismatchError } from 'typeorm'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { loadEntities } from '../../cli/build/load-entities.ts'
import { dataSourceOptions } from '../../cli/build/read-metadata.ts'
import type { Actions } from '../../db/index.ts'
import { brokenInvariants } from '../../examples/tracker/invariants.ts'
import { recordActivity } from '../../examples/tracker/record-activity.ts'
import { serverActions } from '../../examples/tracker/server-actions.ts'
import { sync } from '../../examples/tracker/sync.ts'
import type { SyncEnv } from '../../workers/env.ts'
import type { ServerActions } from '../../workers/push/options.ts'
import { servers } from '../postgres/servers.ts'
import { useConnection, useTestDatabase } from '../postgres/use-test-database.ts'
import { pushDirectly } from '../push/push-directly.ts'
import { deleteOf, insertOf, TestClient, updateOf } from '../push/test-client.ts'

const TRACKER = fileURLToPath(new URL('../../examples/tracker', import.meta.url))
const MIGRATIONS = new URL('../../examples/tracker/migrations/', import.meta.url)
const ORG = randomUUID()
const OTHER_ORG = randomUUID()
const [ANN, BOB, GUEST, STRANGER] = [randomUUID(), randomUUID(), randomUUID(), randomUUID()]
const MEMBERS = [
  [ORG, ANN, 'owner'],
  [ORG, BOB, 'member'],
  [ORG, GUEST, 'guest'],
  [OTHER_ORG, STRANGER, 'member'],
] as const
const membership = new Map<string, string>(MEMBERS.map(([, user]) => [user, randomUUID()]))
const memberOf = (user: string) => membership.get(user) ?? ''
const A = `org:${ORG}`

const owned = useTestDatabase(servers().system)
const database = useConnection(owned)

beforeAll(async () => {
  const migrations = readdirSync(MIGRATIONS).sort()
  const schema = migrations.map((name) => readFileSync(new URL(name, MIGRATIONS), 'utf8'))
  await owned.install(schema.join('--> statement-breakpoint\n'), sync)
  for (const [org, slug] of [
    [ORG, 'one'],
    [OTHER_ORG, 'two'],
  ] as const) {
    await database.query('INSERT INTO public.organization (id, name, slug) VALUES ($1, $2, $2)', [org, slug])
  }
  for (const [org, user, role] of MEMBERS) {
    await database.query('INSERT INTO public.app_user (id, email, name) VALUES ($1::uuid, $1::text, $2)', [user, role])
    await database.query(
      `INSERT INTO public.membership (id, org_id, user_id, display_name, email, role)
       VALUES ($1, $2, $3::uuid, $4::text, $3::text, $4::text::public.member_role)`,
      [memberOf(user), org, user, role],
    )
  }
})

function clientOf(userId: string): TestClient {
  const env = owned.env as unknown as SyncEnv
  // The Worker casts them in the same way.
  const options = { sync, actions: serverActions as ServerActions<Actions> }
  const org = MEMBERS.find(([, user]) => user === userId)?.[0]
  const author = { userId, audiences: [`org:${org}`, `user:${userId}`] }
  return new TestClient(
    (body, who) => pushDirectly(options, env, { ...who, claims: {}, expiresAtMs: null, syncName: 'x' }, body),
    author,
  )
}

let ann: TestClient
let bob: TestClient
let project: string
beforeEach(async () => {
  ann = clientOf(ANN)
  bob = clientOf(BOB)
  project = await newProject()
})

async function newProject(): Promise<string> {
  const id = randomUUID()
  const key = Array.from({ length: 5 }, () => String.fromCharCode(65 + Math.floor(Math.random() * 26))).join('')
  await database.query('INSERT INTO public.project (id, org_id, key, name) VALUES ($1, $2, $3, $3)', [id, ORG, key])
  return id
}

async function newIssue(parentId: string | null = null, state = 'todo'): Promise<string> {
  const id = randomUUID()
  await database.query(
    `INSERT INTO public.issue (id, org_id, project_id, parent_id, number, title, state, creator_id)
     VALUES ($1, $2, $3::uuid, $4, (SELECT coalesce(max(number), 0) + 1 FROM public.issue WHERE project_id = $3), 'one',
       $5::public.issue_state, $6)`,
    [id, ORG, project, parentId, state, memberOf(ANN)],
  )
  return id
}

const issueRow = async (id: string) => (await database.query('SELECT * FROM public.issue WHERE id = $1', [id]))[0]
const draft = (more: Partial<Record<string, unknown>> = {}) => ({
  projectId: project,
  title: 'New',
  body: '',
  state: 'todo',
  priority: 'none',
  assigneeId: null,
  parentId: null,
  ...more,
})

describe('the tracker’s server', () => {
  it('CON-01 CON-02 merges different fields of an issue, refuses the same one, and dates the change', async () => {
    const id = await newIssue()
    const before = await issueRow(id)
    expect(await ann.decide(ann.patch([updateOf('public.issue', id, { title: ['hers', 'one'] }, A)]))).toEqual([
      'committed',
    ])
    expect(
      await bob.decide(
        bob.patch([updateOf('public.issue', id, { priority: ['high', 'none'] }, A)]),
        bob.patch([updateOf('public.issue', id, { title: ['his', 'one'] }, A)]),
      ),
    ).toMatchObject(['committed', { kind: 'conflict', columns: ['title'], row: { title: 'hers' } }])
    const after = await issueRow(id)
    expect(after).toMatchObject({ title: 'hers', priority: 'high' })
    expect(after?.updated_at).not.toBe(before?.updated_at)
  })

  it('DEF-R6 counts what a patch, an action, SQL and TypeORM change, and TypeORM’s lock sees the others', async () => {
    const id = await newIssue()
    const source = new DataSource({ ...dataSourceOptions(await loadEntities(TRACKER)), url: owned.url })
    await source.initialize()
    try {
      const issues = source.getRepository<{ id: string; title: string; version: number }>('Issue')
      const retitle = (title: string, was: string) =>
        ann.decide(ann.patch([updateOf('public.issue', id, { title: [title, was] }, A)]))
      const entity = await issues.findOneByOrFail({ id })
      expect(entity.version).toBe(1)
      expect(await retitle('by a patch', 'one')).toEqual(['committed'])
      expect(await issueRow(id)).toMatchObject({ version: '2' })
      const locked = issues.findOne({ where: { id }, lock: { mode: 'optimistic', version: entity.version } })
      await expect(locked).rejects.toThrow(OptimisticLockVersionMismatchError)
      expect(await ann.decide(ann.action('appendToIssue', { issueId: id, text: 'More.' }))).toEqual(['committed'])
      expect(await issueRow(id)).toMatchObject({ version: '3' })
      await database.query(`UPDATE public.issue SET title = 'by SQL' WHERE id = $1`, [id])
      expect(await issueRow(id)).toMatchObject({ version: '4' })
      const saved = await issues.save({ ...(await issues.findOneByOrFail({ id })), title: 'by TypeORM' })
      expect([saved.version, (await issueRow(id))?.version]).toEqual([5, '5'])
      expect(await retitle('by a patch again', 'by TypeORM')).toEqual(['committed'])
      const forged = ann.patch([updateOf('public.issue', id, { version: ['1', '6'] }, A)])
      expect(await ann.decide(forged)).toEqual(['committed'])
      expect(await issueRow(id)).toMatchObject({ version: '7' })
    } finally {
      await source.destroy()
    }
  })

  it('CON-10 holds an issue open while a subtask is, by patch and by action', async () => {
    const parent = await newIssue()
    const part = await newIssue(parent)
    expect(
      await ann.decide(
        ann.patch([updateOf('public.issue', parent, { state: ['done', 'todo'] }, A)]),
        ann.action('closeIssue', { issueId: parent, state: 'done', subtasks: 'refuse' }),
      ),
    ).toMatchObject([
      { kind: 'constraint', table: 'public.issue' },
      { kind: 'refused', code: 'open-subtasks', data: { subtasks: [part] } },
    ])
    expect(
      await ann.decide(
        ann.action('closeIssue', { issueId: parent, state: 'done', subtasks: 'close' }),
        ann.patch([updateOf('public.issue', part, { state: ['todo', 'done'] }, A)]),
        ann.action('reopenIssue', { issueId: part, state: 'todo' }),
        ann.action('createIssue', draft({ parentId: parent })),
        ann.action('createIssue', draft({ parentId: part })),
      ),
    ).toMatchObject([
      'committed',
      { kind: 'constraint' },
      { code: 'parent-closed' },
      { code: 'parent-closed' },
      { code: 'one-level' },
    ])
    expect(await issueRow(part)).toMatchObject({ state: 'done', closed_at: expect.any(String) })
    // One patch may reopen both, in any order of its rows.
    expect(
      await ann.decide(
        ann.patch([
          updateOf('public.issue', part, { state: ['todo', 'done'] }, A),
          updateOf('public.issue', parent, { state: ['todo', 'done'] }, A),
        ]),
      ),
    ).toEqual(['committed'])
    expect(await issueRow(parent)).toMatchObject({ state: 'todo', closed_at: null })
    expect(await brokenInvariants(database.query)).toEqual([])
  })

  it('CON-12 closing and adding a subtask at once, one of them is refused', async () => {
    for (let round = 0; round < 5; round++) {
      const parent = await newIssue()
      const outcomes = await Promise.all([
        ann.decide(ann.action('closeIssue', { issueId: parent, state: 'done', subtasks: 'refuse' })),
        bob.decide(bob.action('createIssue', draft({ parentId: parent }))),
      ])
      expect(outcomes.flat().filter((outcome) => outcome === 'committed').length).toBe(1)
      expect(await brokenInvariants(database.query)).toEqual([])
    }
  })

  it('CON-11 numbers issues that are created at once one after the other', async () => {
    const clients = [ann, bob, clientOf(ANN), clientOf(BOB)]
    const outcomes = await Promise.all(
      clients.map((client) => client.decide(...Array.from({ length: 3 }, () => client.action('createIssue', draft())))),
    )
    expect(new Set(outcomes.flat())).toEqual(new Set(['committed']))
    const rows = await database.query('SELECT number FROM public.issue WHERE project_id = $1 ORDER BY number', [
      project,
    ])
    expect(rows.map((row) => Number(row.number))).toEqual(Array.from({ length: 12 }, (_, index) => index + 1))
  })

  it('REB-12 moves an issue with its subtasks under the next numbers of the other project', async () => {
    const parent = await newIssue()
    const part = await newIssue(parent)
    const target = await newProject()
    expect(await ann.decide(ann.action('moveIssue', { issueId: parent, projectId: target }))).toEqual(['committed'])
    expect(await issueRow(parent)).toMatchObject({ project_id: target, number: '1' })
    expect(await issueRow(part)).toMatchObject({ project_id: target, number: '2' })
  })

  it('REB-21 assigns members alone, and by a rule of the server’s no guests', async () => {
    const issueId = await newIssue()
    const assign = (user: string) => ann.action('assignIssue', { issueId, assigneeId: memberOf(user) })
    expect(await ann.decide(assign(BOB), assign(STRANGER), assign(GUEST))).toMatchObject([
      'committed',
      { kind: 'refused', code: 'not-a-member' },
      { kind: 'refused', code: 'guest' },
    ])
    expect(await issueRow(issueId)).toMatchObject({ assignee_id: memberOf(BOB) })
    const outside = ann.patch([
      updateOf('public.issue', issueId, { assignee_id: [memberOf(STRANGER), memberOf(BOB)] }, A),
    ])
    expect(await ann.decide(outside)).toMatchObject([{ kind: 'constraint' }])
    expect(await brokenInvariants(database.query)).toEqual([])
  })

  it('SEC-08 nobody writes in another’s name, another’s notes, or what is the server’s', async () => {
    const issueId = await newIssue()
    const [comment, note] = [randomUUID(), randomUUID()]
    const commentBy = (id: string, user: string) =>
      insertOf(
        'public.comment',
        { id, org_id: ORG, issue_id: issueId, author_id: memberOf(user), body: 'x' },
        undefined,
        A,
      )
    const noteBy = (id: string, user: string) =>
      insertOf(
        'public.note',
        { id, org_id: ORG, issue_id: issueId, user_id: user, body: 'x' },
        undefined,
        `user:${user}`,
      )
    expect(
      await ann.decide(
        ann.patch([commentBy(comment, ANN)]),
        ann.patch([commentBy(randomUUID(), BOB)]),
        ann.patch([noteBy(note, ANN)]),
        ann.patch([noteBy(randomUUID(), BOB)]),
        ann.patch([updateOf('public.membership', memberOf(GUEST), { role: ['owner', 'guest'] }, A)]),
        ann.patch([updateOf('public.project', project, { name: ['x', 'y'] }, A)]),
        ann.action('addComment', { issueId, body: 'By an action.' }),
      ),
    ).toMatchObject([
      'committed',
      { kind: 'forbidden' },
      'committed',
      { kind: 'forbidden' },
      { kind: 'forbidden' },
      { kind: 'forbidden' },
      'committed',
    ])
    expect(
      await bob.decide(
        bob.patch([updateOf('public.comment', comment, { body: ['not his', 'x'] }, A)]),
        bob.patch([deleteOf('public.comment', comment, A)]),
      ),
    ).toMatchObject([{ kind: 'forbidden' }, { kind: 'forbidden' }])
    const stranger = clientOf(STRANGER)
    expect(
      await stranger.decide(
        stranger.action('closeIssue', { issueId, state: 'done', subtasks: 'close' }),
        stranger.patch([updateOf('public.issue', issueId, { title: ['stolen', 'one'] }, A)]),
      ),
    ).toMatchObject([{ code: 'no-issue' }, { kind: 'forbidden' }])
    expect(await issueRow(issueId)).toMatchObject({ title: 'one', state: 'todo' })
  })

  it('REB-21 records what a mutation did, told twice, once', async () => {
    const issueId = await newIssue()
    const told = {
      id: `${ann.id}:7`,
      client: ann.id,
      userId: ANN,
      counter: 7,
      at: '2026-01-02T03:04:05.678Z',
      kind: 'patch',
      rows: [updateOf('public.issue', issueId, { state: ['in_review', 'todo'], title: ['two', 'one'] }, A)],
    } as const
    await recordActivity({ ...told, rows: [...told.rows] }, owned.env)
    await recordActivity({ ...told, rows: [...told.rows] }, owned.env)
    const assigned = { issueId, assigneeId: memberOf(BOB) }
    const { rows: _, ...base } = told
    await recordActivity(
      { ...base, kind: 'action', id: `${ann.id}:8`, counter: 8, name: 'assignIssue', args: assigned },
      owned.env,
    )
    const rows = await database.query(
      'SELECT kind, value, actor_id FROM public.activity WHERE issue_id = $1 ORDER BY id',
      [issueId],
    )
    expect(rows).toEqual([
      { kind: 'state', value: 'in_review', actor_id: memberOf(ANN) },
      { kind: 'assignee', value: 'member', actor_id: memberOf(ANN) },
    ])
  })

  it('OUT-14 a deleted issue takes its comments along and leaves its subtasks', async () => {
    const parent = await newIssue()
    const part = await newIssue(parent)
    const remove = (client: TestClient, id: string) => client.decide(client.patch([deleteOf('public.issue', id, A)]))
    await ann.decide(ann.action('addComment', { issueId: parent, body: 'Mine.' }))
    await bob.decide(bob.action('addComment', { issueId: part, body: 'His.' }))
    expect([await remove(bob, parent), await remove(ann, part)].flat()).toMatchObject([
      { kind: 'forbidden' },
      { kind: 'forbidden' },
    ])
    expect(await remove(ann, parent)).toEqual(['committed'])
    expect(await issueRow(parent)).toBeUndefined()
    expect(await issueRow(part)).toMatchObject({ parent_id: null })
    expect(await database.query('SELECT FROM public.comment WHERE issue_id = $1', [parent])).toEqual([])
  })
})
