import {
  type LeasesAnswer,
  type LeasesRequest,
  LIMITS,
  leasesAnswerSchema,
  type Outcome,
  type OutcomesAnswer,
  type OutcomesRequest,
  outcomesAnswerSchema,
  pushAnswerSchema,
  TidemarkError,
} from '../../protocol/index.ts'
import type { Http } from '../connection/http.ts'
import type { Frozen } from './rules/cut-batch.ts'

/** The server's answer to a push: outcomes of a prefix, and why the rest must be sent again. */
export interface PushResult {
  readonly outcomes: readonly Outcome[]
  readonly putOff: TidemarkError | null
}

const foreign = (path: string, cause: unknown) =>
  new TidemarkError('unavailable', `The answer to ${path} is not from a Tidemark server of this version.`, { cause })

/**
 * Pushes frozen mutations in their order. Even where this throws, the server may have done all of it.
 *
 * Throws TidemarkError: of a kind that may pass, or `upgrade-required` and other kinds that no retry mends.
 */
export async function push(
  http: Http,
  {
    client,
    acknowledged,
    migration,
    mutations,
  }: { client: string; acknowledged: number; migration?: string | undefined; mutations: readonly Frozen[] },
  signal: AbortSignal,
): Promise<PushResult> {
  const head = JSON.stringify({ protocol: LIMITS.protocolVersion, client, acknowledged, migration })
  // Put together from the frozen texts, so that what is sent again is the same to the byte.
  const body = `${head.slice(0, -1)},"mutations":[${mutations.map(({ request }) => request).join(',')}]}`
  const parsed = pushAnswerSchema.safeParse(await http.post('/sync/push', body, signal))
  if (!parsed.success) throw foreign('/sync/push', parsed.error)
  const { outcomes, retry } = parsed.data
  const inOrder = outcomes.every(({ counter }, index) => counter === mutations[index]?.counter)
  if (!inOrder) throw foreign('/sync/push', null)
  if (retry)
    return { outcomes, putOff: new TidemarkError('unavailable', retry.message, { retryAfterMs: retry.afterMs }) }
  const rest = mutations.length - outcomes.length
  const missing = new TidemarkError('unavailable', 'The server left a part of the push unanswered; trying again.')
  return { outcomes, putOff: rest === 0 ? null : missing }
}

/** Leases so many keys of each of these sequences; fewer, or none, may be given. Throws TidemarkError. */
export async function askLeases(
  http: Http,
  client: string,
  wanted: Readonly<Record<string, number>>,
  signal: AbortSignal,
): Promise<LeasesAnswer['keys']> {
  const request: LeasesRequest = { protocol: LIMITS.protocolVersion, client, wanted }
  const parsed = leasesAnswerSchema.safeParse(await http.post('/sync/leases', JSON.stringify(request), signal))
  if (!parsed.success) throw foreign('/sync/leases', parsed.error)
  return parsed.data.keys
}

/** Asks what became of mutations whose answers may be lost, in as many requests as it takes. Throws TidemarkError. */
export async function askOutcomes(
  http: Http,
  client: string,
  counters: readonly number[],
  signal: AbortSignal,
): Promise<OutcomesAnswer> {
  const parts: OutcomesAnswer[] = []
  for (let first = 0; first === 0 || first < counters.length; first += LIMITS.outcomesCounters) {
    const request: OutcomesRequest = {
      protocol: LIMITS.protocolVersion,
      client,
      counters: counters.slice(first, first + LIMITS.outcomesCounters),
    }
    const parsed = outcomesAnswerSchema.safeParse(await http.post('/sync/outcomes', JSON.stringify(request), signal))
    if (!parsed.success) throw foreign('/sync/outcomes', parsed.error)
    parts.push(parsed.data)
  }
  const epoch = parts[0]?.epoch
  if (epoch === undefined || parts.some((part) => part.epoch !== epoch))
    throw new TidemarkError('unavailable', 'The history changed while outcomes were asked for; trying again.')
  return { epoch, outcomes: parts.flatMap(({ outcomes }) => outcomes) }
}
