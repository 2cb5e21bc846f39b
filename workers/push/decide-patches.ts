import { z } from 'zod'
import { sha256Hex } from '../../db/index.ts'
import type { Outcome, PatchMutation } from '../../protocol/index.ts'
import { type Database, textArray } from '../database/index.ts'
import { type OpenPush, patchContext, predictionOf, remember, toTell } from './open-push.ts'
import { checkPatch, type PatchStep } from './rules/check-patch.ts'
import { basisCounters, effectsSchema } from './rules/earlier.ts'
import { knownSchema, outcomeOf } from './rules/known-mutation.ts'
import { leasedKeysGiven } from './rules/leased-keys.ts'
import { MutationRejected } from './rules/mutation-rejected.ts'
import { isMutation, type ParsedMutation } from './rules/parse-mutation.ts'
import { readingsOf } from './rules/readings.ts'
import { TOO_SLOW } from './rules/verdict.ts'
import { Undecided } from './undecided.ts'
import { patchStatements } from './write-patch.ts'

/** Half the time that a statement has, because the last patch of a call may still wait for a lock. */
const CALL_MS = 10_000

const decidedSchema = z.array(
  z.union([
    z.object({ known: knownSchema }),
    z.object({ effects: effectsSchema.nullable() }),
    // Only the last entry: it took as long as a statement may.
    z.object({ stopped: z.string() }),
  ]),
)

/** A patch, and the order that the database gets for it. */
interface PatchOrder {
  readonly parsed: ParsedMutation
  readonly mutation: PatchMutation
  readonly digest: string
  readonly asked: string
}

/**
 * Decides mutations from the first on, for good and in one round trip, each in a transaction of its own, up to the
 * first that is no patch or cannot be done as it is: that one, which may be the very first, is left undone.
 *
 * Throws `Undecided` where the first takes too long, and what the connection throws; whatever was committed until then
 * is found stored.
 */
export async function decidePatches(
  push: OpenPush,
  { query }: Database,
  mutations: readonly ParsedMutation[],
): Promise<Outcome[]> {
  const orders = await ordersOf(push, mutations)
  if (orders.length === 0) return []
  const { client, session } = push
  const [row] = await query('CALL tidemark.settle_patches($1, $2, $3::bigint, $4, $5, $6::text[], $7::int, NULL)', [
    client,
    session.userId,
    push.latestVersion,
    JSON.stringify(session.audiences),
    JSON.stringify(session.claims),
    textArray(orders.map(({ asked }) => asked)),
    CALL_MS,
  ])
  const decided = decidedSchema.parse(JSON.parse(row?.settled ?? '[]'))
  const outcomes: Outcome[] = []
  for (const [index, answer] of decided.entries()) {
    const order = orders[index]
    if (!order || ('stopped' in answer && index > 0)) break
    outcomes.push(outcomeIn(push, order, answer))
  }
  return outcomes
}

function outcomeIn(
  push: OpenPush,
  { parsed, mutation, digest }: PatchOrder,
  answer: z.infer<typeof decidedSchema>[number],
): Outcome {
  if ('stopped' in answer) throw new Undecided(parsed, digest, TOO_SLOW, answer.stopped)
  if ('known' in answer) return outcomeOf(mutation.counter, digest, answer.known)
  remember(push, mutation, answer.effects)
  return { counter: mutation.counter, status: 'committed' }
}

/** Returns orders for the mutations, from the first on, that depend on nothing that is not known here. */
async function ordersOf(push: OpenPush, mutations: readonly ParsedMutation[]): Promise<PatchOrder[]> {
  const orders: PatchOrder[] = []
  const before = new Set<number>()
  for (const parsed of mutations) {
    const { content, json } = parsed
    if (!isMutation(content) || content.kind !== 'patch' || !isReady(push, content, before)) break
    const steps = stepsOf(push, content)
    if (steps === null) break
    orders.push({ parsed, ...orderOf(push, content, steps, await sha256Hex(json)) })
    before.add(content.counter)
  }
  return orders
}

/**
 * True where all is known that the patch builds on. Patches before it in the call are then committed, but what they
 * left in rows is not known yet.
 */
const isReady = ({ earlier }: OpenPush, { after, rows }: PatchMutation, before: ReadonlySet<number>): boolean =>
  after.every((counter) => before.has(counter) || earlier.statusOf(counter) === 'committed') &&
  basisCounters(rows).every((counter) => earlier.statusOf(counter) !== null)

function stepsOf({ definition, session }: OpenPush, { rows }: PatchMutation): PatchStep[] | null {
  try {
    return checkPatch(rows, definition.definition, session.audiences)
  } catch (error) {
    if (error instanceof MutationRejected) return null
    throw error
  }
}

function orderOf(push: OpenPush, mutation: PatchMutation, steps: readonly PatchStep[], digest: string) {
  const { reading, keys } = readingsOf(push.definition.definition, push.session.audiences, mutation, steps)
  const asked = {
    counter: mutation.counter,
    digest,
    predicted: predictionOf(mutation),
    steps: patchStatements(patchContext(push), steps),
    reading,
    keys,
    tell: toTell(push, mutation),
    leased: leasedKeysGiven(steps.filter(({ op }) => op === 'insert')),
  }
  return { mutation, digest, asked: JSON.stringify(asked) }
}
