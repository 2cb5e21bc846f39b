import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it, onTestFinished } from 'vitest'
import { launchChromium } from '../testing/browser/launch-chromium.ts'
import { servePage } from '../testing/browser/serve-page.ts'
import { CommittingServer } from '../testing/kills/committing-server.ts'
import { type KillsReport, runKills, type StartWriter } from '../testing/kills/run-kills.ts'
import { inChromium, inNode } from '../testing/kills/start-writers.ts'
import { seededRandom } from '../testing/oracle/random.ts'
import { serveFolders } from '../testing/writing/opened-folders.ts'

/** Every promise is the same for one kill and for a hundred; CI runs a few of each. */
const kills = (few: number) => Number(process.env.KILLS ?? few)
const seed = process.env.KILLS_SEED ?? 'lights-out'

async function killing(count: number, start: (url: string) => Promise<StartWriter>): Promise<KillsReport> {
  const { server, url } = await serveFolders()
  onTestFinished(() => server.close())
  const notes = server.snapshots.get('org:a')?.rows['public.note'] ?? []
  const random = seededRandom(seed)
  const committing = new CommittingServer(server, random.fork('server'), notes)
  return runKills({ kills: count, random: random.fork('kills'), server: committing, start: await start(url) })
}

function expectKept(report: KillsReport, count: number): void {
  console.log(JSON.stringify({ ...report, violations: report.violations.length, seed }))
  expect(report.violations).toEqual([])
  expect(report.killedOpening + report.killedWriting).toBe(count)
  expect(report.mutations).toBeGreaterThan(count)
}

it('FLD-160 JRN-R6 OUT-04 a process of Node killed at random moments keeps all that it said, and converges', async () => {
  const count = kills(2)
  const parent = await mkdtemp(join(tmpdir(), 'tidemark-'))
  onTestFinished(() => rm(parent, { recursive: true, force: true }))
  const report = await killing(count, async (url) => inNode({ url, storage: join(parent, 'replica'), seed }))
  expectKept(report, count)
}, 3_600_000)

/** Every storage of a browser, in the page and in the worker of all tabs; `KILLS_STORAGE` asks for some of them. */
const storages = process.env.KILLS_STORAGE?.split(',') ?? [
  'opfs-ahp://kills',
  'shared+opfs-ahp://kills',
  'idb://kills',
  'shared+idb://kills',
]

it.each(storages)(
  'FLD-161 JRN-R6 OUT-04 a Chromium killed whole at random moments keeps all that its page said in %s, and converges',
  async (storage) => {
    const count = kills(1)
    const report = await killing(count, async (url) => {
      const page = await servePage(fileURLToPath(new URL('../testing/kills/page', import.meta.url)), url)
      onTestFinished(() => page.close())
      const browser = await launchChromium()
      onTestFinished(() => browser.close())
      return inChromium(browser, { url: page.url, storage, seed })
    })
    expectKept(report, count)
  },
  3_600_000,
)
