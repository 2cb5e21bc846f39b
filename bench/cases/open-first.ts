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
type Delays = Record<(typeof WAYS)[number], number[]>

/** Lets both ways take turns, so that other work of the machine falls on both. */
async function inTurns(open: (way: keyof Delays, round: number) => Promise<number>): Promise<Delays> {
  const delays: Delays = { replica: [], bare: [] }
  for (let round = 0; round < ROUNDS; round++) {
    for (const way of WAYS) delays[way].push(await open(way, round))
  }
  return delays
}

function figures(where: string, { replica, bare }: Delays, how: string): Figure[] {
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
      const elapsedMs = await page.evaluate(
        ({ way: asked, name }) => {
          const { openFirst, openBare } = window as unknown as BenchWindow
          return asked === 'bare' ? openBare(name) : openFirst(name)
        },
        { way, name: `${way}-${round}` },
      )
      await page.close()
      return elapsedMs
    })
    return figures('browser', delays, 'Chromium, OPFS, a fresh tab')
  })
}
