import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type BenchWindow, openBenchPage, withBenchPage } from '../bench-page.ts'
import { type Figure, figure, median } from '../measure.ts'

const ROUNDS = 3
const PROGRAM = fileURLToPath(new URL('../first-opening-process.ts', import.meta.url))

/** Two ways to open: a replica, or PGlite as it comes, which initialises its database. */
const WAYS = ['replica', 'bare'] as const
type Way = (typeof WAYS)[number]
type Measured<Delay> = Record<Way, Delay[]>

/** Lets both ways take turns, so that other work of the machine falls on both. */
async function inTurns<Delay>(open: (way: Way, round: number) => Promise<Delay>): Promise<Measured<Delay>> {
  const delays: Measured<Delay> = { replica: [], bare: [] }
  for (let round = 0; round < ROUNDS; round++) {
    for (const way of WAYS) delays[way].push(await open(way, round))
  }
  return delays
}

function figures(where: string, { replica, bare }: Measured<number>, how: string): Figure[] {
  const medians = `medians of ${ROUNDS}, taking turns`
  return [
    figure(
      `open.first.${where}`,
      median(bare) / median(replica),
      '×',
      { atLeast: 3 },
      `as fast as bare PGlite makes and opens its first database; ${how}, ${medians}`,
    ),
    figure(`open.first.${where}_ms`, median(replica), 'ms', null, `until openReplica answers; ${how}`),
    figure(`open.first.${where}_bare_ms`, median(bare), 'ms', null, `bare PGlite; ${how}`),
  ]
}

/** Opens each in a process of its own, because PGlite keeps its compiled modules. */
export async function openFirstInNode(): Promise<Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-open-'))
  try {
    const delays = await inTurns(async (way, round) => {
      const { stdout } = await promisify(execFile)(process.execPath, [PROGRAM, way, join(folder, `${way}-${round}`)])
      return Number(stdout)
    })
    return figures('node', delays, 'Node, a new folder')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

export function openFirstInBrowser(): Promise<Figure[]> {
  return withBenchPage(async (browser, url) => {
    const delays = await inTurns(async (way, round) => {
      const page = await openBenchPage(browser, url)
      const opening = await page.evaluate(
        ({ way: asked, name }) => {
          const { openFirst, openBare } = window as unknown as BenchWindow
          return asked === 'bare' ? openBare(name) : openFirst(name)
        },
        { way, name: `${way}-${round}` },
      )
      await page.close()
      return opening
    })
    const of = (value: 'openMs' | 'answeredMs') => ({
      replica: delays.replica.map((opening) => opening[value]),
      bare: delays.bare.map((opening) => opening[value]),
    })
    const how = 'Chromium, OPFS, a fresh tab'
    const { replica, bare } = of('answeredMs')
    return [
      ...figures('browser', of('openMs'), how),
      figure(
        'open.first.browser.query_ratio',
        median(replica) / median(bare),
        '×',
        { atMost: 1.1 },
        `of the time of bare PGlite, from opening to the answer to a first query; ${how}, medians of ${ROUNDS}, taking turns`,
      ),
    ]
  })
}
