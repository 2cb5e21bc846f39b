import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { createCollection } from '@tanstack/db'
import { eq } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/pglite'
import { type ComponentType, createElement } from 'react'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { openReplicaOn } from '../../client/open-replica.ts'
import { type OpenFunction, ReplicaProvider, useLiveQuery } from '../../client/react/index.ts'
import { openTestReplicaOn, type TestReplica } from '../../client/testing/open-test-replica.ts'
import { definitionOfSync } from '../../client/testing/rules/definition-of-sync.ts'
import { readGuide } from '../cli/read-guide.ts'
import { provideDocument, renderInDom } from '../react/render-in-dom.ts'
import { openPreparedDatabase } from '../replica/prepared-database.ts'
import { at } from '../replica/scripted-server.ts'
import { closeAfterEach, serve } from '../replica/serve.ts'
import { moduleOfBlock } from './module-of-block.ts'
import { issue, sync } from './sync.ts'

provideDocument()
closeAfterEach()

const FOLDER = join('.tidemark', 'pages-run')
const ORG = '00000000-0000-4000-8000-000000000001'
const ID = '00000000-0000-4000-8000-000000000002'
const FIRST = { id: ID, orgId: ORG, project: 'harbour', title: 'First', state: 'open' }

/** What the blocks have from elsewhere, by the names that they use. */
const names: Record<string, unknown> = {}
const blocks = readGuide('react.md').filter(({ language }) => language.startsWith('ts'))
const run = new Set<number>()
/** The rows that hooks of a block were last answered. */
const answered: (readonly unknown[] | null)[] = []

let server: TestReplica<typeof sync>
beforeAll(async () => {
  server = await openTestReplicaOn(sync, { rows: { issue: [FIRST] } }, openPreparedDatabase)
  Object.assign(names, {
    sync,
    issue,
    createCollection,
    drizzle,
    eq,
    project: 'harbour',
    id: ID,
    orgId: ORG,
    replica: server.replica,
    db: drizzle(server.replica.db),
    ISSUES: 'SELECT id, title FROM issue',
    rows: [{ id: 'of the page', title: 'Read by the server' }],
    lsn: server.replica.status.lsn,
    fetchToken: () => 'token',
    open: ((options) => openReplicaOn(options, openPreparedDatabase)) satisfies OpenFunction,
    Opening: ({ progress }: { progress: number }) => `Opening ${progress >= 0}`,
    useLiveQuery: (...args: Parameters<typeof useLiveQuery>) => {
      const shown = useLiveQuery(...args)
      answered.push(shown.rows)
      return shown
    },
  })
  Object.assign(globalThis, { namesOfPage: names })
  mkdirSync(FOLDER, { recursive: true })
  const known = `export const { ${Object.keys(names).join(', ')} } = globalThis.namesOfPage`
  writeFileSync(join(FOLDER, 'names.ts'), known)
})
afterAll(async () => {
  rmSync(FOLDER, { recursive: true, force: true })
  Reflect.deleteProperty(globalThis, 'namesOfPage')
  await server.close()
})

/** Runs the block that says `word` as a module, each edited first by `edit`; answers what it exports. */
async function runBlock(word: string, edit: (text: string) => string = (text) => text) {
  const block = blocks.find(({ text }) => text.includes(word))
  if (!block) throw new Error(`No block of the page says ${word}.`)
  run.add(block.line)
  const known = new Map(Object.keys(names).map((name) => [name, name]))
  // It has that of the page beside it.
  const text = edit(block.text.replace(/^import .* from '\.\/sync\.ts'$/m, ''))
  const path = join(FOLDER, `line-${block.line}.tsx`)
  writeFileSync(path, moduleOfBlock(text, known, './names.ts'))
  return (await import(/* @vite-ignore */ pathToFileURL(path).href)) as Record<string, unknown>
}

/** Puts statements that call hooks into a component. */
function asComponent(text: string): string {
  const lines = text.split('\n')
  const [imports, rest] = [true, false].map((wanted) => lines.filter((line) => /^import /.test(line) === wanted))
  return `${imports?.join('\n')}\nexport function Block() {\n${rest?.join('\n')}\nreturn null\n}`
}

/** Renders the hooks of a block on the replica until the last is answered; answers all that was shown meanwhile. */
async function rowsOf(word: string): Promise<readonly (readonly unknown[] | null)[]> {
  const { Block } = await runBlock(word, asComponent)
  answered.length = 0
  const page = await renderInDom(
    <ReplicaProvider replica={server.replica}>{createElement(Block as ComponentType)}</ReplicaProvider>,
  )
  await page.shows(() => JSON.stringify(answered.at(-1) ?? null).includes('First'))
  await page.unmount()
  return answered
}

describe('the blocks of docs/react.md', () => {
  it('RCT-R11 a page opens the replica at its address and shows the rows', async () => {
    const { url } = await serve(definitionOfSync({ ...sync, tables: { issue: sync.tables.issue } }), {
      [`org:${ORG}`]: {
        start: at(0x100),
        fence: at(0x100),
        snapshot: '10:10:',
        rows: {
          'public.issue': [
            {
              id: ID,
              org_id: ORG,
              project: 'harbour',
              title: 'First',
              state: 'open',
              author_id: null,
              deleted_at: null,
            },
            {
              id: ORG,
              org_id: ORG,
              project: 'other',
              title: 'Other',
              state: 'open',
              author_id: null,
              deleted_at: null,
            },
          ],
        },
      },
    })
    const { App } = await runBlock('<ReplicaProvider', (text) =>
      text
        .replace('https://app.example', url)
        .replace('fetchToken, sync }', "fetchToken, sync, storage: 'memory://' }")
        .replace('options={options}', 'options={options} open={open}'),
    )
    const page = await renderInDom(createElement(App as ComponentType))
    await page.shows((text) => text === 'First')
    await page.unmount()
  })

  it('RCT-R11 RCT-R4 rows of a server are shown until the query is answered', async () => {
    const shown = await rowsOf('initialRows')
    expect(shown[0]).toEqual(names.rows)
    expect(shown.at(-1)).toEqual([{ id: ID, title: 'First' }])
  })

  it('RCT-R11 RCT-R10 queries of drizzle, also over the tables as replicas have them', async () => {
    expect((await rowsOf('issue.project, project')).at(-1)).toMatchObject([{ id: ID, title: 'First', deletedAt: null }])
    expect((await rowsOf('visibleTables')).at(-1)).toMatchObject([{ issue: { title: 'First' }, comment: null }])
  })

  it('RCT-R11 TSD-R1 a collection of TanStack DB', async () => {
    const { issues } = (await runBlock('createCollection', (text) => `${text}\nexport { issues }`)) as {
      issues: { toArrayWhenReady(): Promise<{ title: string }[]>; cleanup(): Promise<void> }
    }
    expect((await issues.toArrayWhenReady()).map(({ title }) => title)).toEqual(['First'])
    await issues.cleanup()
  })

  it('RCT-R11 TST-R1 a replica of a test holds, confirms and refuses what is written', async () => {
    // Such a test runs where there is no page.
    const page = Object.getOwnPropertyDescriptor(globalThis, 'window') ?? {}
    Reflect.deleteProperty(globalThis, 'window')
    onTestFinished(() => void Object.defineProperty(globalThis, 'window', page))
    const { replica, confirmAll, reject, serverWrites } = (await runBlock(
      'openTestReplica',
      (text) => `${text}\nexport { replica, confirmAll, reject, serverWrites }`,
    )) as unknown as TestReplica<typeof sync>
    const titles = async () => (await replica.db.query<{ title: string }>('SELECT title FROM issue')).rows
    expect(await titles()).toEqual([{ title: 'First' }])
    const rename = (to: string) => replica.transaction((tx) => tx.query('UPDATE issue SET title = $1', [to]))
    const kept = await rename('Second')
    await confirmAll()
    await kept.confirmed
    const refused = await rename('Third')
    await reject(refused.id ?? '', { kind: 'conflict' })
    await expect(refused.confirmed).rejects.toMatchObject({ rejection: { kind: 'conflict' } })
    await serverWrites({ issue: [{ id: ID, title: 'Fourth' }] })
    expect(await titles()).toEqual([{ title: 'Fourth' }])
    await replica.close()
  })

  it('RCT-R11 none is left out', () => {
    expect(blocks.map(({ line }) => line).filter((line) => !run.has(line))).toEqual([])
  })
})
