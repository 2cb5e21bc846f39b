import { z } from 'zod'
import { TidemarkError } from '../../protocol/errors.ts'

const START_TIMEOUT_MS = 180_000
const REQUEST_TIMEOUT_MS = 10_000
const POLL_MS = 250
/** A start meets what is over in a moment, such as a slot that the last run still holds; this many looks in a row are no such thing. */
const LOOKS_BEFORE_TOLD = 8

/** The part of health that says whether capture runs; apps may answer anything there. */
const healthShape = z.object({
  status: z.string(),
  lastCycleAt: z.string().nullable(),
  checks: z.array(z.object({ name: z.string(), status: z.string(), message: z.string() })).catch([]),
})

/**
 * Waits until the Worker answers and capture runs. Returns null, or the reason that `failed` settles with where that is
 * sooner. What keeps capture from running for a while is told as a line, once each.
 *
 * Throws `misconfigured` for a Worker that neither fails nor comes up.
 */
export async function untilUp(
  url: string,
  adminToken: string,
  failed: Promise<string>,
  onLine: (line: string) => void,
): Promise<string | null> {
  let failure: string | null = null
  // wrangler holds requests back until it has something to serve, so a failure must end them.
  const giveUp = new AbortController()
  failed.then((reason) => {
    failure = reason
    giveUp.abort()
  })
  const deadline = Date.now() + START_TIMEOUT_MS
  let armed = false
  let lastAnswer = 'no answer'
  const obstacles = new RepeatedObstacles(onLine)
  while (failure === null && Date.now() < deadline) {
    armed = armed || (await runScheduled(url, giveUp.signal))
    const health = await request(`${url}/health`, giveUp.signal)
    if (health?.ok) {
      const capture = await lookAtCapture(url, adminToken, giveUp.signal)
      if (capture === 'runs') return null
      obstacles.note(capture)
    }
    if (health !== null) lastAnswer = `${health.status} ${(await health.text()).slice(0, 200)}`
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
  if (failure !== null) return failure
  throw new TidemarkError(
    'misconfigured',
    `The Worker was not healthy after ${START_TIMEOUT_MS / 1000} s; GET /health answered last: ${lastAnswer}:\n${await replicationHealth(url, adminToken)}`,
  )
}

interface Obstacle {
  readonly name: string
  readonly message: string
}

/** Tells what stands in the way once it has stood there for several looks in a row. */
class RepeatedObstacles {
  readonly #onLine: (line: string) => void
  readonly #told = new Set<string>()
  #last: string | null = null
  #looks = 0

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine
  }

  /** The text of a check may count, so that its name says whether it is the same. */
  note(obstacle: Obstacle | null): void {
    const name = obstacle?.name ?? null
    this.#looks = name === this.#last ? this.#looks + 1 : 1
    this.#last = name
    if (obstacle === null || this.#looks < LOOKS_BEFORE_TOLD || this.#told.has(obstacle.name)) return
    this.#told.add(obstacle.name)
    this.#onLine(`Capture does not run yet: ${obstacle.message}`)
  }
}

/** Answers `runs`, or the first check that fails, null for none; an app that mounts no such route counts as running. */
async function lookAtCapture(url: string, adminToken: string, signal: AbortSignal): Promise<'runs' | Obstacle | null> {
  const answer = await request(`${url}/health/replication`, signal, { authorization: `Bearer ${adminToken}` })
  if (answer === null) return null
  if (!answer.headers.get('content-type')?.includes('json')) return 'runs'
  const health = healthShape.safeParse(await answer.json().catch(() => null))
  if (!health.success) return 'runs'
  const { status, lastCycleAt, checks } = health.data
  if (status !== 'fail' && lastCycleAt !== null) return 'runs'
  return checks.find((check) => check.status === 'fail') ?? null
}

async function replicationHealth(url: string, adminToken: string): Promise<string> {
  const answer = await request(`${url}/health/replication`, null, { authorization: `Bearer ${adminToken}` })
  return answer === null ? '' : await answer.text()
}

/** Runs the Worker's cron handler, which arms the alarm of replication; false where nothing answers yet. */
export async function runScheduled(url: string, signal: AbortSignal | null = null): Promise<boolean> {
  const answer = await request(`${url}/cdn-cgi/local/scheduled`, signal)
  await answer?.body?.cancel()
  return answer?.ok === true
}

async function request(
  url: string,
  signal: AbortSignal | null,
  headers: Record<string, string> = {},
): Promise<Response | null> {
  const timeout = AbortSignal.timeout(REQUEST_TIMEOUT_MS)
  try {
    return await fetch(url, { headers, signal: signal === null ? timeout : AbortSignal.any([timeout, signal]) })
  } catch {
    return null
  }
}
