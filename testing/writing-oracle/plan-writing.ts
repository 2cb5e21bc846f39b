import type { Random } from '../oracle/random.ts'
import type { Statement } from '../oracle/workload-statements.ts'
import type { Operation } from './operation.ts'
import { changeTickets, takeKeyByHand } from './plan-numbered.ts'
import { changeRemarks, moveBoard, type RemarkIds, seedRemarks } from './plan-remarks.ts'

const uuid = (kind: number, number: number) =>
  `${kind.toString(16).padStart(8, '0')}-0000-4000-8000-${number.toString(16).padStart(12, '0')}`

/** Two organisations, each with what its people work on. */
export const ORGS = [uuid(0xa, 1), uuid(0xa, 2)] as const
const PEOPLE = 3
const LISTS = 2
const TASKS = 10
const TALLIES = 2
/** Months of visits: the first three have partitions from the start, the others get one. */
const MONTHS = 5
const NAMES = ['inbox', 'later', 'someday', 'work', 'home']

const place = (org: number, number: number) => org * 1000 + number
const person = (org: number, number: number) => uuid(0xb, place(org, number))
const list = (org: number, number: number) => uuid(0xc, place(org, number))
const task = (org: number, number: number) => uuid(0xd, place(org, number))
const tally = (org: number, number: number) => uuid(0xe, place(org, number))
const visit = (org: number, number: number) => uuid(0xf, place(org, number))
const remarkIds: RemarkIds = {
  board: (org, number) => uuid(0x10, place(org, number)),
  remark: (org, number) => uuid(0x11, place(org, number)),
  reply: (org, number) => uuid(0x12, place(org, number)),
}

/** One event of the plan; `writer` is a place among the writers. */
export type WritingEvent =
  | { readonly kind: 'operation'; readonly writer: number; readonly operation: Operation }
  | { readonly kind: 'direct'; readonly operation: Operation }
  | {
      readonly kind: 'offline' | 'online' | 'kill' | 'cut' | 'look' | 'retry'
      readonly writer: number
    }
  /** The last record of its journal is torn too, as a kill leaves it. */
  | { readonly kind: 'loseDatabase'; readonly writer: number; readonly torn: boolean }
  | { readonly kind: 'damageJournal'; readonly writer: number; readonly damage: JournalDamage }
  | { readonly kind: 'undo'; readonly writer: number; readonly token: string }
  | { readonly kind: 'loseAnswers' | 'doublePushes'; readonly writer: number; readonly count: number }
  | { readonly kind: 'killWorkerd' | 'killPostgres' | 'dropSlot' | 'prune' | 'forgetLeases' }
  /** A user joins an organisation, by number, or leaves it where they are a member. */
  | { readonly kind: 'joinOrLeave'; readonly writer: number; readonly org: number }
  | { readonly kind: 'partitionJob'; readonly job: PartitionJob }
  | { readonly kind: 'wait'; readonly waitMs: number }

/** Jobs that change partitions at night, in the order in which they are done. */
export const PARTITION_JOBS = ['open', 'detach', 'attachFull', 'drop', 'attachBack'] as const
export type PartitionJob = (typeof PARTITION_JOBS)[number]

/** Damage to the files of a journal; `at` is a fraction of their length. */
export interface JournalDamage {
  readonly how: 'removed' | 'torn' | 'cut' | 'garbled'
  readonly at: number
}

export interface WritingPlanOptions {
  readonly steps: number
  /** For each writer, the organisations they work in, by number. */
  readonly writers: readonly (readonly number[])[]
  readonly faults: boolean
  /** True where visits are synced, whose table is partitioned. */
  readonly visits: boolean
}

/** Plans everything from the seed alone. The file is long because every kind of event is drawn beside its form. */
export function planWriting(random: Random, options: WritingPlanOptions): WritingEvent[] {
  const events: WritingEvent[] = []
  for (let step = 0; step < options.steps; step++) {
    const own = random.fork(String(step))
    events.push(...planStep(own, step, options), { kind: 'wait', waitMs: own.below(own.chance(0.2) ? 250 : 40) })
  }
  if (options.faults) {
    const put = (event: WritingEvent) => events.splice(1 + random.below(events.length), 0, event)
    for (let times = 0; times < 2; times++) put({ kind: 'killWorkerd' })
    put({ kind: 'killPostgres' })
    put({ kind: 'prune' })
    if (random.chance(0.5)) put({ kind: 'forgetLeases' })
    if (random.chance(0.5)) put({ kind: 'dropSlot' })
    for (let times = 0; times < 2; times++) {
      const writer = random.below(options.writers.length)
      const change: WritingEvent = { kind: 'joinOrLeave', writer, org: random.below(ORGS.length) }
      // The change goes there and back, because a user who may see nothing for long gets nothing done.
      putInOrder(random, events, [change, change])
    }
    const jobs = options.visits ? PARTITION_JOBS : []
    putInOrder(
      random,
      events,
      jobs.map((job) => ({ kind: 'partitionJob', job })),
    )
    for (let writer = 0; writer < options.writers.length; writer++) {
      put({ kind: 'kill', writer })
      if (random.chance(0.5)) put({ kind: 'loseDatabase', writer, torn: random.chance(0.5) })
      if (random.chance(0.5)) put({ kind: 'damageJournal', writer, damage: journalDamage(random) })
      put({ kind: 'cut', writer })
      put({ kind: 'loseAnswers', writer, count: 1 + random.below(3) })
      put({ kind: 'doublePushes', writer, count: 1 + random.below(4) })
    }
  }
  return options.visits ? events : events.map(withoutVisits)
}

function withoutVisits(event: WritingEvent): WritingEvent {
  if (event.kind !== 'operation' || !('statements' in event.operation)) return event
  const statements = event.operation.statements.filter(({ text }) => !text.startsWith('INSERT INTO visit'))
  return { ...event, operation: { ...event.operation, statements } }
}

function putInOrder(random: Random, events: WritingEvent[], wanted: readonly WritingEvent[]): void {
  const places = wanted.map(() => 1 + random.below(events.length)).sort((a, b) => a - b)
  for (const [before, place] of places.entries()) events.splice(place + before, 0, ...wanted.slice(before, before + 1))
}

function journalDamage(random: Random): JournalDamage {
  return { how: random.pick(['removed', 'torn', 'cut', 'garbled'] as const), at: random.below(1000) / 1000 }
}

function planStep(random: Random, step: number, { writers }: WritingPlanOptions): WritingEvent[] {
  const writer = random.below(writers.length)
  const org = random.pick(writers[writer] ?? [0])
  const kind = random.weighted({ operation: 60, direct: 14, offline: 5, online: 9, look: 8, undo: 3, retry: 1 })
  switch (kind) {
    case 'operation':
      return [{ kind, writer, operation: anyOperation(random, org, `w${writer}.${step}`) }]
    case 'direct':
      return [{ kind, operation: directOperation(random, random.below(ORGS.length), `d.${step}`) }]
    case 'undo':
      return [
        { kind: 'operation', writer, operation: patch(random, org, `w${writer}.${step}`) },
        { kind: 'undo', writer, token: `w${writer}.${step}` },
      ]
    default:
      return [{ kind, writer }]
  }
}

function anyOperation(random: Random, org: number, token: string): Operation {
  const kind = random.weighted({
    add: 22,
    finish: 8,
    reopen: 5,
    split: 8,
    assign: 7,
    report: 6,
    answerTo: 8,
    patch: 34,
    raw: 16,
  })
  switch (kind) {
    case 'add':
      return { kind, token, tally: tally(org, random.below(TALLIES)) }
    case 'finish':
    case 'reopen':
      return { kind, token, task: task(org, random.below(TASKS)) }
    case 'split':
      return {
        kind,
        token,
        task: task(org, random.below(TASKS)),
        names: ['one', 'two', 'three'].slice(random.below(3)),
      }
    case 'assign': {
      // Now and then somebody from the other organisation, who must be refused.
      const from = random.chance(0.15) ? 1 - org : org
      return { kind, token, task: task(org, random.below(TASKS)), person: person(from, random.below(PEOPLE)) }
    }
    case 'report':
      return { kind, token, org: ORGS[org] ?? '', answers: random.below(3) }
    case 'answerTo':
      return { kind, token, org: ORGS[org] ?? '', place: random.below(4) }
    case 'patch':
      return patch(random, org, token)
    case 'raw':
      return { kind, token: null, statements: typing(random, org, token) }
  }
}

function directOperation(random: Random, org: number, token: string): Operation {
  if (random.chance(0.3)) return { kind: 'add', token, tally: tally(org, random.below(TALLIES)) }
  if (random.chance(0.25))
    return { kind: 'patch', token, org: ORGS[org] ?? '', statements: [moveBoard(random, ORGS, remarkIds)] }
  if (random.chance(0.15))
    return { kind: 'patch', token, org: ORGS[org] ?? '', statements: [takeKeyByHand(random, ORGS[org] ?? '', token)] }
  return patch(random, org, token)
}

/** Writes the same field again and again, as somebody types. */
function typing(random: Random, org: number, token: string): Statement[] {
  const id = task(org, random.below(TASKS))
  const column = random.pick(['title', 'notes'])
  return Array.from({ length: 1 + random.below(5) }, (_, key) => ({
    text: `UPDATE task SET ${column} = $1 WHERE id = $2`,
    params: [`${token} ${'typed'.slice(0, key + 1)}`, id],
  }))
}

function patch(random: Random, org: number, token: string): Operation {
  const count = random.chance(0.25) ? 1 + random.below(3) : 1
  const statements = Array.from({ length: count }, (_, index) => change(random, org, `${token}.${index}`))
  return { kind: 'patch', token, org: ORGS[org] ?? '', statements }
}

function change(random: Random, org: number, word: string): Statement {
  const orgId = ORGS[org] ?? ''
  const id = task(org, random.below(TASKS))
  const kind = random.weighted({
    title: 10,
    notes: 6,
    weight: 4,
    doc: 4,
    move: 3,
    remove: 1,
    insert: 6,
    rename: 3,
    list: 2,
    unlist: 0.5,
    visit: 5,
    remark: 24,
    ticket: 20,
  })
  switch (kind) {
    case 'title':
    case 'notes':
      return { text: `UPDATE task SET ${kind} = $1 WHERE id = $2`, params: [word, id] }
    case 'weight':
      return { text: 'UPDATE task SET weight = weight + $1 WHERE id = $2', params: [`${random.below(900)}.50`, id] }
    case 'doc':
      return {
        text: 'UPDATE task SET doc = $1 WHERE id = $2',
        params: [random.chance(0.2) ? null : JSON.stringify({ b: 1, a: [word, null] }), id],
      }
    case 'move':
      return { text: 'UPDATE task SET list_id = $1 WHERE id = $2', params: [list(org, random.below(LISTS)), id] }
    case 'remove':
      return { text: 'DELETE FROM task WHERE id = $1', params: [id] }
    case 'insert':
      return {
        text: `INSERT INTO task (id, org_id, list_id, title) SELECT $1, $2, $3, $4
               WHERE NOT EXISTS (SELECT FROM task WHERE id = $1::uuid) AND EXISTS (SELECT FROM list WHERE id = $3::uuid)`,
        params: [id, orgId, list(org, random.below(LISTS)), word],
      }
    case 'rename':
      return {
        text: 'UPDATE list SET name = $1 WHERE id = $2 AND NOT EXISTS (SELECT FROM list WHERE name = $1 AND org_id = $3)',
        params: [random.pick(NAMES), list(org, random.below(LISTS + 3)), orgId],
      }
    case 'list':
      return {
        text: `INSERT INTO list (id, org_id, name) SELECT $1, $2, $3
               WHERE NOT EXISTS (SELECT FROM list WHERE id = $1::uuid OR (name = $3::text AND org_id = $2::uuid))`,
        params: [list(org, LISTS + random.below(3)), orgId, random.pick(NAMES)],
      }
    case 'ticket':
      return changeTickets(random, orgId, word)
    case 'remark':
      return changeRemarks(random, org, word, remarkIds)
    case 'visit':
      return {
        text: 'INSERT INTO visit (id, month, org_id, word) VALUES (gen_random_uuid(), $1, $2, $3)',
        params: [`${random.below(MONTHS)}`, orgId, word],
      }
    case 'unlist':
      return { text: 'DELETE FROM list WHERE id = $1', params: [list(org, LISTS + random.below(3))] }
  }
}

/** Answers the statements of a job, which run in one transaction. */
export function partitionStatements(job: PartitionJob): string[] {
  const full = 'public.visit_4'
  switch (job) {
    case 'open':
      return ['CREATE TABLE public.visit_3 PARTITION OF public.visit FOR VALUES IN (3)']
    case 'detach':
      return ['ALTER TABLE public.visit DETACH PARTITION public.visit_0']
    case 'attachFull':
      return [
        `CREATE TABLE ${full} (LIKE public.visit INCLUDING ALL)`,
        ...ORGS.map(
          (org, number) => `INSERT INTO ${full} SELECT '${visit(number, 100)}'::uuid, 4, '${org}', 'brought along'`,
        ),
        `ALTER TABLE public.visit ATTACH PARTITION ${full} FOR VALUES IN (4)`,
      ]
    case 'drop':
      return ['DROP TABLE public.visit_1']
    case 'attachBack':
      return ['ALTER TABLE public.visit ATTACH PARTITION public.visit_0 FOR VALUES IN (0)']
  }
}

/** Answers the statements for the rows that are there before anybody writes. */
export function seedWriting(): Statement[] {
  const rows: Statement[] = []
  for (const [org, orgId] of ORGS.entries()) {
    const each = (count: number, text: string, params: (number: number) => string[]) => {
      for (let number = 0; number < count; number++) rows.push({ text, params: params(number) })
    }
    each(PEOPLE, 'INSERT INTO public.person (id, org_id, name) VALUES ($1, $2, $3)', (number) => [
      person(org, number),
      orgId,
      `Person ${number}`,
    ])
    each(LISTS, 'INSERT INTO public.list (id, org_id, name) VALUES ($1, $2, $3)', (number) => [
      list(org, number),
      orgId,
      `list ${number}`,
    ])
    each(TASKS, 'INSERT INTO public.task (id, org_id, list_id, title) VALUES ($1, $2, $3, $4)', (number) => [
      task(org, number),
      orgId,
      list(org, number % LISTS),
      `Task ${number}`,
    ])
    each(6, 'INSERT INTO public.visit (id, month, org_id, word) VALUES ($1, $2, $3, $4)', (number) => [
      visit(org, number),
      `${number % 3}`,
      orgId,
      `visit ${number}`,
    ])
    rows.push(...seedRemarks(org, orgId, remarkIds))
    each(TALLIES, 'INSERT INTO public.tally (id, org_id) VALUES ($1, $2)', (number) => [tally(org, number), orgId])
  }
  return rows
}
