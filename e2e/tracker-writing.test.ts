import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page, Route } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { brokenInvariants } from '../examples/tracker/invariants.ts'
import { copyTracker } from '../testing/browser/copy-tracker.ts'
import { launchChromium, type TestBrowser } from '../testing/browser/launch-chromium.ts'
import { type DevServer, startDev } from '../testing/browser/start-dev.ts'
import { digestAudiences } from '../testing/browser/tracker-digest.ts'
import {
  allSaved,
  card,
  choose,
  describeAs,
  goOffline,
  heading,
  online,
  retitle,
  review,
  saved,
  waiting,
} from '../testing/browser/tracker-issue.ts'
import {
  live,
  queryReplica,
  removeFolders,
  settledDigest,
  untilSettled,
  withoutServiceWorker,
} from '../testing/browser/tracker-page.ts'
import { until } from '../testing/system/until.ts'
import { withDatabase } from '../workers/database/index.ts'

const HARBOUR = '1f0c6a52-0a3e-4b57-9d64-3a7d5e8c0001'
const ADA = '7b1d90e4-52c8-4f1a-8e0b-6c2f4a9d0001'
const BRUNO = '7b1d90e4-52c8-4f1a-8e0b-6c2f4a9d0002'
/** The time that a condition may take on a busy machine; nothing is measured against it. */
const PATIENCE_MS = 120_000
/** So much slower is a slow machine than this one. */
const SLOWER = 6

/** One server and one browser serve all of these tests, which is why they are one file. */
const dataDir = mkdtempSync(join(tmpdir(), 'tidemark-e2e-'))
const tracker = copyTracker(2_000)
let server: DevServer
let browser: TestBrowser

beforeAll(async () => {
  server = await startDev({ app: tracker.app, dataDir, port: 0 })
  browser = await launchChromium()
})
afterAll(async () => {
  await browser?.close()
  await server?.stop()
  tracker.remove()
  rmSync(dataDir, { recursive: true, force: true, maxRetries: 5 })
})
/** The replicas stay, as they do for users; the windows go, but for the one without which Chromium ends. */
afterEach(async () => {
  await browser.context.unrouteAll({ behavior: 'ignoreErrors' })
  for (const page of browser.context.pages()) if (page.url() !== 'about:blank') await page.close()
})

const query = (text: string, params: string[] = []) =>
  withDatabase(server.env, (database) => database.query(text, params), { applicationName: 'test' })

/** Opens a window that is wide enough for a list beside an open issue. */
async function newWindow(): Promise<Page> {
  const page = await browser.newPage()
  page.setDefaultTimeout(PATIENCE_MS)
  await withoutServiceWorker(page)
  await page.setViewportSize({ width: 1600, height: 1000 })
  await page.addInitScript(() => localStorage.removeItem('tracker.view'))
  return page
}

/** Opens a user's own window that shows an issue, with a storage of its own. */
async function open(device: string, user: string, issue = ''): Promise<Page> {
  const page = await newWindow()
  await page.goto(`${server.url}/?${new URLSearchParams({ device, as: user })}#${issue}`)
  await live(page).waitFor()
  return page
}

const openBoth = async (issue: string) => [await open('one', ADA, issue), await open('two', BRUNO, issue)] as const

/** Makes a new issue, so that no test meets another's. */
async function newIssue(title: string): Promise<string> {
  const [row] = await query(
    `INSERT INTO public.issue (org_id, project_id, number, title, body, state, creator_id)
     SELECT project.org_id, project.id, (SELECT max(number) + 1 FROM public.issue WHERE project_id = project.id), $1,
       'As it was.', 'todo', membership.id
     FROM public.project JOIN public.membership ON membership.org_id = project.org_id AND membership.user_id = $2::uuid
     WHERE project.key = 'SHIP' RETURNING id`,
    [title, BRUNO],
  )
  return row?.id ?? ''
}

const rowOf = async (id: string) =>
  (await query('SELECT title, body, state, priority, parent_id FROM public.issue WHERE id = $1', [id]))[0]

/** Expects that all users hold the rows of Postgres, and that no invariant is broken. */
async function expectEqual(...users: (readonly [Page, string])[]): Promise<void> {
  // All settle twice, because the writes of one are news to the others.
  for (const [page] of users) await settledDigest(page)
  for (const [page, user] of users) {
    const digest = await settledDigest(page)
    expect(digest).toEqual(await withDatabase(server.env, ({ query }) => digestAudiences(query, [HARBOUR], user)))
    expect(await brokenInvariants(queryReplica(page))).toEqual([])
  }
  expect(await brokenInvariants(query)).toEqual([])
}

/** Removes the databases of a device from the origin's own files; answers the names of its files beside them. */
async function removeDatabases(device: string): Promise<string[]> {
  const page = await newWindow()
  await page.goto(`${server.url}/health`)
  const left = await removeFolders(page, device)
  await page.close()
  return left
}

describe('two people write', () => {
  it('CON-01 REB-01 offline edits of another field merge when they come back', async () => {
    const issue = await newIssue('Merged')
    const [ada, bruno] = await openBoth(issue)
    await heading(ada, 'Merged').waitFor()
    await goOffline(ada)
    await retitle(ada, 'Merged, by Ada')
    await waiting(ada).waitFor()
    await ada.locator(`.issue-row[href="#${issue}"] .tidemark-row-mark[data-mark="pending"]`).waitFor()
    await describeAs(bruno, 'Described by Bruno.')
    await saved(bruno)
    await online(ada).click()
    await ada.locator('.body-text', { hasText: 'Described by Bruno.' }).waitFor()
    await heading(bruno, 'Merged, by Ada').waitFor()
    await saved(ada)
    expect(await rowOf(issue)).toMatchObject({ title: 'Merged, by Ada', body: 'Described by Bruno.' })
    expect(await review(ada).count()).toBe(0)
    await expectEqual([ada, ADA], [bruno, BRUNO])
  })

  it('CON-02 CON-08 OUT-21 of the same field it asks: theirs beside mine, then a third version', async () => {
    const issue = await newIssue('Contested')
    const [ada, bruno] = await openBoth(issue)
    await heading(ada, 'Contested').waitFor()
    await goOffline(ada)
    await retitle(ada, 'Contested, by Ada')
    await choose(ada, 'priority', 'urgent')
    await retitle(bruno, 'Contested, by Bruno')
    await saved(bruno)
    await online(ada).click()

    await review(ada).getByText('Somebody else changed the same field (Title)').waitFor()
    // What was put off does not ask again by itself, in this visit or the next.
    await review(ada).getByRole('button', { name: 'Decide later' }).click()
    await ada.reload()
    await ada.locator('.failure-strip').getByRole('button', { name: 'Review' }).waitFor()
    expect(await review(ada).count()).toBe(0)
    await ada.locator('.failure-strip').getByRole('button', { name: 'Review' }).click()
    const title = review(ada).getByRole('group', { name: /Title/ })
    await title.getByText('Contested, by Ada').waitFor()
    await title.getByText('Contested, by Bruno').waitFor()
    await title.getByText('changed by both').waitFor()
    await ada.locator(`.detail .tidemark-row-mark[data-mark="failed"]`).waitFor()
    await title.getByRole('radio', { name: /Theirs/ }).check()
    await review(ada).getByRole('button', { name: 'Save this version' }).click()
    await review(ada).getByRole('heading', { name: 'Nothing left to decide' }).waitFor()
    await ada.keyboard.press('Escape')
    await saved(ada)
    expect(await rowOf(issue)).toMatchObject({ title: 'Contested, by Bruno', priority: 'urgent' })

    await goOffline(ada)
    await choose(ada, 'priority', 'low')
    await choose(bruno, 'priority', 'high')
    await saved(bruno)
    await online(ada).click()
    await review(ada).getByText('Bruno Carvalho set the priority to High before this arrived.').waitFor()
    await review(ada).getByRole('button', { name: 'Save this version' }).click()
    await ada.keyboard.press('Escape')
    await saved(ada)
    expect(await rowOf(issue)).toMatchObject({ priority: 'low' })

    await goOffline(ada)
    await retitle(ada, 'Ada again')
    await retitle(bruno, 'Bruno again')
    await saved(bruno)
    await online(ada).click()
    await review(ada).getByRole('radio', { name: 'Edit' }).check()
    await review(ada).getByRole('textbox').fill('Ada and Bruno')
    await review(ada).getByRole('button', { name: 'Save this version' }).click()
    await heading(bruno, 'Ada and Bruno').waitFor()
    await expectEqual([ada, ADA], [bruno, BRUNO])
    expect(await rowOf(issue)).toMatchObject({ title: 'Ada and Bruno' })
  })

  it('CON-03 one person’s notes at two devices: what arrives last stays', async () => {
    const issue = await newIssue('Noted')
    const [desk, phone] = [await open('one', ADA, issue), await open('two', ADA, issue)]
    await desk.getByRole('button', { name: 'Add a note' }).click()
    await desk.getByRole('textbox', { name: 'Note to yourself' }).fill('First thought')
    await desk.getByRole('button', { name: 'Keep' }).click()
    await phone.locator('.note', { hasText: 'First thought' }).waitFor()
    await goOffline(phone)
    for (const [page, text] of [
      [phone, 'From the phone'],
      [desk, 'From the desk'],
    ] as const) {
      await page.locator('.note').getByRole('button', { name: 'Edit' }).click()
      await page.getByRole('textbox', { name: 'Edit the note' }).fill(text)
      await page.locator('.notes').getByRole('button', { name: 'Save' }).click()
      await page.locator('.note', { hasText: text }).waitFor()
    }
    await saved(desk)
    await online(phone).click()
    await desk.locator('.note', { hasText: 'From the phone' }).waitFor()
    await expectEqual([desk, ADA], [phone, ADA])
  })

  it('REB-02 REB-21 a close that a new subtask overtakes is refused and undone; closed with it, it stands', async () => {
    const issue = await newIssue('In parts')
    const [ada, bruno] = await openBoth(issue)
    await heading(bruno, 'In parts').waitFor()
    await goOffline(bruno)
    await choose(bruno, 'state', 'done')
    await bruno.locator('.detail [data-state="done"]').waitFor()
    await ada.getByRole('textbox', { name: 'New subtask' }).fill('The first part')
    await ada.keyboard.press('Enter')
    await ada.locator('.subtasks li', { hasText: 'The first part' }).waitFor()
    await saved(ada)
    await online(bruno).click()
    await bruno.locator('.failure-strip').getByRole('button', { name: 'Review' }).click()
    await review(bruno).getByText('A subtask is still open.').waitFor()
    await review(bruno).getByRole('button', { name: 'Let go of mine' }).click()
    await review(bruno).getByRole('heading', { name: 'Nothing left to decide' }).waitFor()
    await bruno.keyboard.press('Escape')
    expect(await rowOf(issue)).toMatchObject({ state: 'todo' })

    await bruno.locator('.subtasks li', { hasText: 'The first part' }).waitFor()
    await choose(bruno, 'state', 'done')
    await bruno.getByRole('alert').getByText('A subtask is still open.').waitFor()
    await bruno.getByRole('button', { name: 'Close all' }).click()
    await saved(bruno)
    await ada.getByRole('checkbox', { name: /is done/, checked: true }).waitFor()
    expect(await rowOf(issue)).toMatchObject({ state: 'done' })
    await expectEqual([ada, ADA], [bruno, BRUNO])
  })

  it('OUT-11 comments are written, changed and deleted, each by whoever wrote it', async () => {
    const issue = await newIssue('Talked about')
    const [ada, bruno] = await openBoth(issue)
    await ada.getByRole('textbox', { name: 'Write a comment' }).fill('What do you think?')
    await ada.keyboard.press('Control+Enter')
    const seen = bruno.locator('.comment', { hasText: 'What do you think?' })
    await seen.hover()
    expect(await seen.getByRole('button').count()).toBe(0)
    await ada.locator('.comment').getByRole('button', { name: 'Edit' }).click()
    await ada.getByRole('textbox', { name: 'Edit the comment' }).fill('What do you think of it?')
    await ada.locator('.comment').getByRole('button', { name: 'Save' }).click()
    await bruno.locator('.comment', { hasText: 'What do you think of it?' }).getByText('edited').waitFor()
    await ada.locator('.comment').getByRole('button', { name: 'Delete' }).click()
    await bruno.getByText('Nobody has said anything yet.').waitFor()
    await expectEqual([ada, ADA], [bruno, BRUNO])
  })
})

describe('one person writes', () => {
  it('OUT-20 creates, labels, moves on the board by mouse, keys and finger, takes back, deletes; the log tells each step', async () => {
    const ada = await open('one', ADA)
    await ada.locator('.issue-row').first().waitFor()
    await ada.keyboard.press('c')
    await review(ada).getByRole('textbox', { name: 'Title' }).fill('Made in the browser')
    await review(ada).getByLabel('Project').selectOption('Delivery')
    await review(ada).getByRole('button', { name: 'Create' }).click()
    await ada.getByRole('searchbox').fill('Made in the browser')
    await ada.locator('.issue-row', { hasText: 'Made in the browser' }).click()
    await saved(ada)
    const [{ id = '' } = {}] = await query(`SELECT id FROM public.issue WHERE title = 'Made in the browser'`)
    await ada.getByRole('button', { name: 'Add a label' }).click()
    await ada.getByRole('group', { name: 'Labels' }).getByRole('checkbox', { name: 'security' }).click()
    await ada.locator('.label-picker > .label', { hasText: 'security' }).waitFor()
    await ada.keyboard.press('Escape')
    await ada.keyboard.press('Escape')

    await ada.getByRole('button', { name: 'Board' }).click()
    await drag(ada, card(ada, 'todo', id ?? ''), 'in_progress')
    await card(ada, 'in_progress', id ?? '').waitFor()
    await card(ada, 'in_progress', id ?? '').focus()
    for (const key of [' ', 'ArrowRight', ' ']) await ada.keyboard.press(key)
    await card(ada, 'in_review', id ?? '').waitFor()
    await saved(ada)
    expect(await rowOf(id ?? '')).toMatchObject({ state: 'in_review' })

    await ada.keyboard.press('Control+z')
    await card(ada, 'in_progress', id ?? '').waitFor()
    await ada.keyboard.press('Control+z')
    await card(ada, 'todo', id ?? '').waitFor()
    await ada.keyboard.press('Control+Shift+z')
    await card(ada, 'in_progress', id ?? '').waitFor()
    await saved(ada)
    expect(await rowOf(id ?? '')).toMatchObject({ state: 'in_progress' })

    await ada.setViewportSize({ width: 700, height: 1000 })
    const finger = await touchBy(ada)
    await swipe(ada, finger, card(ada, 'in_progress', id ?? ''))
    await dragPastTheEdge(ada, finger, card(ada, 'in_progress', id ?? ''), 'cancelled')
    await card(ada, 'cancelled', id ?? '').waitFor()
    await ada.setViewportSize({ width: 1600, height: 1000 })
    await saved(ada)
    expect(await rowOf(id ?? '')).toMatchObject({ state: 'cancelled' })
    expect(await ada.locator('.detail').count()).toBe(0)

    await ada.keyboard.press('l')
    const log = ada.getByRole('region', { name: 'Mutation log' })
    await log
      .locator('li[data-status="confirmed"]', { hasText: 'createIssue()' })
      .getByText(/confirmed \+/)
      .first()
      .waitFor()
    expect(await log.locator('li:not([data-status="confirmed"])').count()).toBe(0)

    await card(ada, 'cancelled', id ?? '').click()
    await ada.getByRole('button', { name: 'Delete issue' }).click()
    await card(ada, 'cancelled', id ?? '').waitFor({ state: 'detached' })
    await ada.locator('.toast').getByRole('button', { name: 'Undo' }).click()
    await card(ada, 'cancelled', id ?? '').waitFor()
    await expectEqual([ada, ADA])
    expect(await rowOf(id ?? '')).toMatchObject({ title: 'Made in the browser', state: 'cancelled' })
  })

  it('REB-21 what a rule of the server’s refuses is shown at once, undone, and says why', async () => {
    const issue = await newIssue('For a guest')
    const ada = await open('one', ADA, issue)
    await ada.getByRole('combobox', { name: 'Change assignee' }).selectOption('Elif Kaya')
    await ada.locator('.failure-strip').getByRole('button', { name: 'Review' }).click()
    await review(ada).getByText('Elif Kaya is a guest: guests are assigned nothing.').waitFor()
    await review(ada).getByRole('button', { name: 'Let go of mine' }).click()
    await review(ada).getByRole('heading', { name: 'Nothing left to decide' }).waitFor()
    await expectEqual([ada, ADA])
  })

  it('OUT-04 FLT-09 what was shown as saved survives a reload and a kill, before it is sent and after, and is there once', async () => {
    const issue = await newIssue('Before the crash')
    let ada = await open('one', ADA, issue)
    await browser.context.route('**/sync/push', (route: Route) => route.abort())
    await retitle(ada, 'Not sent yet')
    await waiting(ada).waitFor()
    await ada.reload()
    await heading(ada, 'Not sent yet').waitFor()
    await waiting(ada).waitFor()
    await browser.killAndRestart()
    ada = await open('one', ADA, issue)
    await heading(ada, 'Not sent yet').waitFor()
    await saved(ada)
    expect(await rowOf(issue)).toMatchObject({ title: 'Not sent yet' })

    const arrived = new Promise<void>((resolve, reject) => {
      browser.context
        .route('**/sync/push', async (route: Route) => {
          // The server gets the push; its answer never comes.
          await route.fetch().catch(reject)
          resolve()
        })
        .catch(reject)
    })
    await ada.getByRole('textbox', { name: 'Write a comment' }).fill('Said just before the crash.')
    await ada.keyboard.press('Control+Enter')
    await ada.locator('.comment', { hasText: 'Said just before the crash.' }).waitFor()
    await arrived
    await browser.killAndRestart()
    ada = await open('one', ADA, issue)
    await ada.locator('.comment', { hasText: 'Said just before the crash.' }).waitFor()
    await saved(ada)
    expect(await query('SELECT body FROM public.comment WHERE issue_id = $1', [issue])).toEqual([
      { body: 'Said just before the crash.' },
    ])
    await expectEqual([ada, ADA])
  })

  it('FLD-119 JRN-R6 JRN-R9 JRN-R11 what was written offline comes back where the browser’s database is gone, and not after a sign-out', async () => {
    const issue = await newIssue('Before the loss')
    let ada = await open('lost', ADA, issue)
    await goOffline(ada)
    await retitle(ada, 'Only in the journal')
    await waiting(ada).waitFor()
    await ada.close()
    const files = await removeDatabases('lost')
    expect(files.filter((name) => /\.journal-[01]$/.test(name))).toHaveLength(1)
    ada = await open('lost', ADA, issue)
    await saved(ada)
    await heading(ada, 'Only in the journal').waitFor()
    expect(await rowOf(issue)).toMatchObject({ title: 'Only in the journal' })
    await expectEqual([ada, ADA])
    await ada.evaluate(() => (window as unknown as { replica: { signOut(): Promise<void> } }).replica.signOut())
    await ada.close()
    expect(await removeDatabases('lost')).toEqual([])
  })

  it('FLD-270 HST-R8 HST-R9 an issue tells its versions and the feed who did what; a version comes back, and a confirmed change is taken back', async () => {
    const issue = await newIssue('Told')
    const [ada, bruno] = await openBoth(issue)
    await retitle(ada, 'Told by Ada')
    await saved(ada)
    await heading(bruno, 'Told by Ada').waitFor()
    await choose(bruno, 'priority', 'urgent')
    await saved(bruno)
    await untilSettled(ada)
    await ada.getByRole('button', { name: 'Show all versions' }).click()
    const version = (page: Page, text: string) => page.locator('.version', { hasText: text })
    await version(ada, 'Bruno Carvalho changed Priority').waitFor()
    await version(ada, 'changed Title').getByText('Told by Ada').waitFor()
    await version(ada, 'created it').getByRole('button', { name: 'Restore this version' }).click()
    await heading(ada, 'Told')
      .and(ada.getByText('Told', { exact: true }))
      .waitFor()
    await saved(ada)
    expect(await rowOf(issue)).toMatchObject({ title: 'Told', priority: 'none' })
    // What was restored is a change of its own, which is taken back as any other.
    await ada.locator('.version').first().getByRole('button', { name: 'Take back this change' }).click()
    await heading(ada, 'Told by Ada').waitFor()
    await saved(ada)
    expect(await rowOf(issue)).toMatchObject({ title: 'Told by Ada', priority: 'urgent' })
    await untilSettled(bruno)
    await bruno.getByRole('button', { name: 'Feed' }).click()
    const line = bruno.locator('.feed-line', { hasText: 'Told by Ada' })
    await line.filter({ hasText: 'Bruno Carvalho changed Priority' }).waitFor()
    await bruno.getByRole('button', { name: 'Log', exact: true }).click()
    await bruno.locator('.log-line').first().click()
    await bruno.locator('.log-detail').getByRole('button', { name: 'Take back' }).click()
    await bruno.getByText('Brought back: Priority').waitFor()
    await saved(bruno)
    expect(await rowOf(issue)).toMatchObject({ title: 'Told by Ada', priority: 'none' })
    // Where somebody built on it, it says what stands in the way.
    await retitle(bruno, 'Told by Bruno')
    await saved(bruno)
    await heading(ada, 'Told by Bruno').waitFor()
    const own = version(ada, 'changed Title').filter({ hasText: 'Told by Ada' })
    await own.getByRole('button', { name: 'Take back this change' }).last().click()
    await ada.getByText('Title has been changed since').waitFor()
    expect(await rowOf(issue)).toMatchObject({ title: 'Told by Bruno' })
    // A deleted issue is read and restored at its address, also on a phone.
    await ada.setViewportSize({ width: 390, height: 844 })
    await bruno.getByRole('button', { name: 'Delete issue' }).click()
    await saved(bruno)
    await version(ada, 'Bruno Carvalho deleted it').waitFor()
    expect(await ada.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390)
    // To bring it back is to insert it, for which the policies want its creator.
    await ada.getByRole('button', { name: 'Restore this version' }).first().click()
    await ada.getByText('1 refused').waitFor()
    expect(await rowOf(issue)).toBeUndefined()
    await bruno.setViewportSize({ width: 390, height: 844 })
    await bruno.goto(`${server.url}/?${new URLSearchParams({ device: 'two', as: BRUNO })}#${issue}`)
    await bruno.reload()
    await bruno.getByRole('button', { name: 'Restore this version' }).first().click()
    await until(async () => (await rowOf(issue)) !== undefined)
    expect(await rowOf(issue)).toMatchObject({ title: 'Told by Bruno', body: 'As it was.' })
    await heading(ada, 'Told by Bruno').waitFor()
    await expectEqual([ada, ADA], [bruno, BRUNO])
  })

  it('DEF-R6 the server counts versions of SQL in the replica, of actions and of its own writes, and the replica has them', async () => {
    const issue = await newIssue('Counted')
    const ada = await open('counted', ADA, issue)
    const inReplica = queryReplica(ada)
    await ada.evaluate((issueId) => {
      type Add = (args: object) => Promise<unknown>
      const { replica } = window as unknown as { replica: { actions: { addComment: Add } } }
      return replica.actions.addComment({ issueId, body: 'One.' })
    }, issue)
    const stampsOf = async (table: string, id: string) => {
      await untilSettled(ada)
      const text = `SELECT version, extract(epoch FROM updated_at) AS updated FROM public.${table} WHERE ${id}`
      const [held, stored] = [(await inReplica(text))[0], (await query(text))[0]]
      expect([String(held?.version), Number(held?.updated)]).toEqual([stored?.version, Number(stored?.updated)])
      return { version: Number(stored?.version), updated: Number(stored?.updated) }
    }
    const close = () =>
      ada.evaluate((issueId) => {
        type Close = (args: object) => Promise<unknown>
        const { replica } = window as unknown as { replica: { actions: { closeIssue: Close } } }
        return replica.actions.closeIssue({ issueId, state: 'done', subtasks: 'close' })
      }, issue)
    const [byId, ofIt] = [`id = '${issue}'`, `issue_id = '${issue}'`]
    for (const [table, where, write] of [
      ['issue', byId, () => inReplica(`UPDATE issue SET title = 'By SQL here' WHERE ${byId}`)],
      ['issue', byId, close],
      ['issue', byId, () => query(`UPDATE public.issue SET title = 'By the server' WHERE ${byId}`)],
      ['comment', ofIt, () => inReplica(`UPDATE comment SET body = 'Two.' WHERE ${ofIt}`)],
      ['comment', ofIt, () => query(`UPDATE public.comment SET body = 'Three.' WHERE ${ofIt}`)],
    ] as const) {
      const before = await stampsOf(table, where)
      await write()
      const after = await stampsOf(table, where)
      expect(after.version).toBe(before.version + 1)
      expect(after.updated).toBeGreaterThan(before.updated)
    }
    await expectEqual([ada, ADA])
  })

  it('FLD-241 on a phone what waits and the switch are in sight, the mark of an unsent row is never cut off, and the list scrolls', async () => {
    const issue = await newIssue(`${'A title that is far too long for a phone, and so gives way. '.repeat(3)}End`)
    const page = await newWindow()
    await page.setViewportSize({ width: 360, height: 640 })
    await page.goto(`${server.url}/?${new URLSearchParams({ device: 'phone', as: ADA })}`)
    await live(page).waitFor()
    const row = page.locator(`.issue-row[href="#${issue}"]`)
    await row.waitFor()
    await goOffline(page)
    await queryReplica(page)(`UPDATE issue SET priority = 'urgent' WHERE id = '${issue}'`)
    await waiting(page).waitFor()
    const mark = row.locator('.tidemark-row-mark[data-mark="pending"]')
    await mark.waitFor()
    for (const shown of [waiting(page), online(page), page.locator('.phase'), mark]) await untilInSight(shown)
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(360)

    const last = page.locator('.issue-row').last()
    expect(await last.evaluate(isInSight)).toBe(false)
    await row.hover()
    do await page.mouse.wheel(0, 5_000)
    while (!(await last.evaluate(isInSight)))
    for (const shown of [waiting(page), online(page)]) await untilInSight(shown)
    await online(page).click()
    await saved(page)
  })

  it('OPS-05 FLD-242 the pair page opens on a slow machine and holds two replicas, each with its own switch', async () => {
    const issue = await newIssue('Seen from both sides')
    const page = await newWindow()
    const devtools = await page.context().newCDPSession(page)
    await devtools.send('Emulation.setCPUThrottlingRate', { rate: SLOWER })
    await page.goto(server.url)
    await page.getByRole('link', { name: 'Two replicas side by side' }).click()
    const [left, right] = [page.frameLocator('[name="left"]'), page.frameLocator('[name="right"]')]
    for (const frame of [left, right]) {
      await frame.locator('.phase[data-phase="live"]').waitFor()
      await frame.locator(`.issue-row[href="#${issue}"]`).click()
    }
    await devtools.send('Emulation.setCPUThrottlingRate', { rate: 1 })
    await goOffline(left)
    await retitle(left, 'Left, offline')
    await waiting(left).waitFor()
    await heading(right, 'Seen from both sides').waitFor()
    await online(left).click()
    await heading(right, 'Left, offline').waitFor()
    await allSaved(left).waitFor()
  })
})

/** Tells of an element in a page whether all of it is in the window, and nothing before it. */
function isInSight(element: Element): boolean {
  const { left, top, right, bottom, width, height } = element.getBoundingClientRect()
  const isWithin = left >= 0 && top >= 0 && right <= innerWidth && bottom <= innerHeight && width > 0 && height > 0
  const seen = document.elementFromPoint((left + right) / 2, (top + bottom) / 2)
  return isWithin && seen !== null && (element.contains(seen) || seen.contains(element))
}

/** Waits until all of an element is seen, and none of it cut off by what it lies in. */
async function untilInSight(shown: ReturnType<typeof card>): Promise<void> {
  await until(() => shown.evaluate(isInSight))
  const cutOffBy = await shown.evaluate((element) => {
    const own = element.getBoundingClientRect()
    for (let outer = element.parentElement; outer; outer = outer.parentElement) {
      const { left, right } = outer.getBoundingClientRect()
      const isCut = getComputedStyle(outer).overflowX !== 'visible' && (own.left < left || own.right > right)
      if (isCut) return outer.className
    }
    return null
  })
  expect(cutOffBy).toBe(null)
}

async function drag(page: Page, what: ReturnType<typeof card>, state: string): Promise<void> {
  const from = await what.boundingBox()
  const to = await page.locator(`[data-column="${state}"]`).boundingBox()
  if (!from || !to) throw new Error('There is nothing to drag, or nowhere to put it.')
  await page.mouse.move(from.x + 40, from.y + 15)
  await page.mouse.down()
  await page.mouse.move(to.x + 60, to.y + 120, { steps: 6 })
  await page.locator(`[data-column="${state}"][data-over="true"]`).waitFor()
  await page.mouse.up()
}

type Finger = (
  type: 'touchStart' | 'touchMove' | 'touchEnd',
  ...touchPoints: { x: number; y: number }[]
) => Promise<unknown>

async function touchBy(page: Page): Promise<Finger> {
  const session = await page.context().newCDPSession(page)
  await session.send('Emulation.setTouchEmulationEnabled', { enabled: true })
  return (type, ...touchPoints) => session.send('Input.dispatchTouchEvent', { type, touchPoints })
}

/** Swipes over a card within its column, which scrolls the board and moves nothing. */
async function swipe(page: Page, finger: Finger, what: ReturnType<typeof card>): Promise<void> {
  const scrolled = () => page.evaluate(() => document.querySelector('.board')?.scrollLeft ?? 0)
  do {
    const from = await what.boundingBox()
    if (!from) throw new Error('There is nothing to swipe over.')
    const [x, y] = [from.x + from.width - 20, from.y + 15]
    // There is no wait in between, as the finger would rest; if the browser itself paused, this is done once more.
    await Promise.all([
      finger('touchStart', { x, y }),
      finger('touchMove', { x: x - 70, y }),
      finger('touchMove', { x: x - 140, y }),
      finger('touchEnd'),
    ])
  } while ((await scrolled()) === 0)
  expect(await page.locator('[data-held]').count()).toBe(0)
}

/** Drags a card to a column that comes into sight while the finger rests at the edge. */
async function dragPastTheEdge(
  page: Page,
  finger: Finger,
  what: ReturnType<typeof card>,
  state: string,
): Promise<void> {
  // It waits until the swipe has run out.
  await what.scrollIntoViewIfNeeded()
  const from = await what.boundingBox()
  const board = await page.locator('.board').boundingBox()
  if (!from || !board) throw new Error('There is nothing to drag.')
  const [x, y] = [from.x + 40, from.y + 15]
  await finger('touchStart', { x, y })
  await page.locator('.board-card[data-held="pointer"]').waitFor()
  const edge = board.x + board.width - 30
  for (const part of [0.25, 0.5, 0.75, 1]) await finger('touchMove', { x: x + (edge - x) * part, y: y + 80 * part })
  await page.locator(`[data-column="${state}"][data-over="true"]`).waitFor()
  await finger('touchEnd')
}
