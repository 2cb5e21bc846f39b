import { TidemarkError } from '../../protocol/errors.ts'

const START_TIMEOUT_MS = 180_000
const REQUEST_TIMEOUT_MS = 10_000
const POLL_MS = 250

/**
 * Waits until the Worker answers and capture runs. Returns null, or the reason that `failed` settles with where that is
 * sooner.
 *
 * Throws `misconfigured` for a Worker that neither fails nor comes up.
 */
export async function untilUp(url: string, adminToken: string, failed: Promise<string>): Promise<string | null> {
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
  while (failure === null && Date.now() < deadline) {
    armed = armed || (await runScheduled(url, giveUp.signal))
    const health = await request(`${url}/health`, giveUp.signal)
    if (health?.ok && (await captureRuns(url, adminToken, giveUp.signal))) return null
    if (health !== null) lastAnswer = `${health.status} ${(await health.text()).slice(0, 200)}`
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
  if (failure !== null) return failure
  throw new TidemarkError(
    'misconfigured',
    `The Worker was not healthy after ${START_TIMEOUT_MS / 1000} s; GET /health answered last: ${lastAnswer}:\n${await replicationHealth(url, adminToken)}`,
  )
}

/** Returns false while the first cycle has not ended well; an app that mounts no such route counts as running. */
async function captureRuns(url: string, adminToken: string, signal: AbortSignal): Promise<boolean> {
  const answer = await request(`${url}/health/replication`, signal, { authorization: `Bearer ${adminToken}` })
  if (answer === null || !answer.headers.get('content-type')?.includes('json')) return answer !== null
  const body: unknown = await answer.json().catch(() => null)
  if (typeof body !== 'object' || body === null || !('status' in body && 'lastCycleAt' in body)) return true
  return body.status !== 'fail' && body.lastCycleAt !== null
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
