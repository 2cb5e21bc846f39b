import { existsSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { connect } from './connect.ts'
import { closingComments, middleComments, openingComments } from './seed/phrases.ts'

/** Keeps changing the demo's rows as people would, until Ctrl-C. `CHANGES_PER_SECOND` sets the pace. */
const DEV_SETTINGS = fileURLToPath(new URL('./.tidemark/worker.env', import.meta.url))
const CHANGES_PER_SECOND = Number(process.env.CHANGES_PER_SECOND ?? 3)

/** Work moves on more often than back; the state that follows is picked and recorded in one statement. */
const MOVE_ON = `
  WITH moved AS (
    SELECT id, (CASE state
      WHEN 'backlog' THEN 'todo' WHEN 'todo' THEN 'in_progress' WHEN 'in_progress' THEN 'in_review'
      WHEN 'in_review' THEN (CASE WHEN random() < 0.8 THEN 'done' ELSE 'in_progress' END)
      ELSE 'todo' END)::public.issue_state AS state
    FROM public.issue WHERE (state NOT IN ('done', 'cancelled') OR (random() < 0.01 AND parent_id IS NULL))
      AND (state <> 'in_review' OR NOT EXISTS (
        SELECT FROM public.issue AS part WHERE part.parent_id = issue.id AND part.state NOT IN ('done', 'cancelled')))
    ORDER BY updated_at DESC OFFSET floor(random() * 120) LIMIT 1
  ), recorded AS (
    INSERT INTO public.activity (org_id, issue_id, actor_id, kind, value)
    SELECT issue.org_id, issue.id, coalesce(issue.assignee_id, issue.creator_id), 'state', moved.state::text
    FROM moved JOIN public.issue ON issue.id = moved.id
  )
  UPDATE public.issue SET updated_at = now(),
    state = moved.state, closed_at = CASE WHEN moved.state IN ('done', 'cancelled') THEN now() END,
    assignee_id = coalesce(issue.assignee_id, issue.creator_id)
  FROM moved WHERE issue.id = moved.id RETURNING issue.title, issue.state::text AS what`

const REPRIORITISE = `
  UPDATE public.issue SET updated_at = now(),
    priority = (enum_range(NULL::public.issue_priority))[1 + floor(random() * 4)]
  WHERE id = (SELECT id FROM public.issue WHERE state NOT IN ('done', 'cancelled')
              ORDER BY updated_at DESC OFFSET floor(random() * 200) LIMIT 1)
  RETURNING title, priority::text || ' priority' AS what`

const RETITLE = `
  UPDATE public.issue SET updated_at = now(),
    title = CASE WHEN title LIKE '% (urgent for %' THEN regexp_replace(title, ' \\(urgent for .*\\)$', '')
                 ELSE title || ' (urgent for ' || (SELECT split_part(display_name, ' ', 1) FROM public.membership
                   WHERE membership.org_id = issue.org_id ORDER BY random() LIMIT 1) || ')' END
  WHERE id = (SELECT id FROM public.issue WHERE state NOT IN ('done', 'cancelled')
              ORDER BY updated_at DESC OFFSET floor(random() * 200) LIMIT 1)
  RETURNING title, 'new title' AS what`

/** The comment and its issue change in one transaction. */
const COMMENT = `
  WITH about AS (
    SELECT issue.id, issue.org_id, issue.title FROM public.issue WHERE state NOT IN ('done', 'cancelled')
    ORDER BY updated_at DESC OFFSET floor(random() * 120) LIMIT 1
  ), author AS (
    SELECT membership.id, membership.org_id FROM public.membership JOIN about ON about.org_id = membership.org_id
    ORDER BY random() LIMIT 1
  ), said AS (
    INSERT INTO public.comment (org_id, issue_id, author_id, body)
    SELECT about.org_id, about.id, author.id, $1 FROM about JOIN author ON author.org_id = about.org_id
  )
  UPDATE public.issue SET updated_at = now() FROM about WHERE issue.id = about.id RETURNING issue.title, 'comment' AS what`

const phrases = [...openingComments, ...middleComments, ...closingComments].filter((phrase) => !phrase.includes('{'))
const pick = <Item>(items: readonly Item[]) => items[Math.floor(Math.random() * items.length)]

function nextChange(): { text: string; params: string[] } {
  const dice = Math.random()
  if (dice < 0.45) return { text: COMMENT, params: [pick(phrases) ?? ''] }
  if (dice < 0.8) return { text: MOVE_ON, params: [] }
  return { text: dice < 0.93 ? REPRIORITISE : RETITLE, params: [] }
}

function settings(): { DATABASE_URL: string; DATABASE_PROXY?: string | undefined } {
  if (!process.env.DATABASE_URL && existsSync(DEV_SETTINGS)) process.loadEnvFile(DEV_SETTINGS)
  const { DATABASE_URL, DATABASE_PROXY } = process.env
  if (!DATABASE_URL) throw new Error('Start `npm run dev` first, or set DATABASE_URL.')
  return { DATABASE_URL, DATABASE_PROXY }
}

const client = await connect(settings())
for (;;) {
  const { text, params } = nextChange()
  const { rows } = await client.query<{ title: string; what: string }>(text, params)
  for (const row of rows) console.log(`${row.what.padEnd(16)} ${row.title}`)
  // Irregular intervals, as people keep.
  await pause((1_000 / CHANGES_PER_SECOND) * (0.4 + 1.2 * Math.random()))
}
