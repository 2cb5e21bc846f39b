import type { ConflictPolicy } from '../../db/index.ts'
import {
  type DefinitionInForce,
  mutationId,
  type PredictedChange,
  type PushedMutation,
  predictedByPatch,
} from '../../protocol/index.ts'
import type { AppEnv } from '../access/access.ts'
import type { Session } from '../contracts.ts'
import type { CommittedMutation, PushOptions } from './options.ts'
import type { PushDeadline } from './push-deadline.ts'
import type { EarlierMutations, Effects } from './rules/earlier.ts'
import { MutationRejected } from './rules/mutation-rejected.ts'
import type { PatchContext } from './write-patch.ts'

/** The state of one push while its mutations are decided. */
export interface OpenPush {
  readonly options: PushOptions
  readonly env: AppEnv
  readonly session: Pick<Session, 'userId' | 'claims' | 'audiences'>
  readonly client: string
  readonly madeMs: number
  readonly definition: DefinitionInForce
  /** The latest version, also where nobody could read it and `definition` is an earlier one. */
  readonly latestVersion: number
  readonly policyOf: (table: string) => ConflictPolicy
  readonly earlier: EarlierMutations
  readonly deadline: PushDeadline
}

export const patchContext = ({ session, definition, earlier, policyOf }: OpenPush): Omit<PatchContext, 'query'> => ({
  audiences: session.audiences,
  types: definition.definition.types,
  earlier,
  policyOf,
})

export const predictionOf = (mutation: PushedMutation): readonly PredictedChange[] | null =>
  mutation.kind === 'patch' ? predictedByPatch(mutation.rows) : mutation.predicted

/**
 * Throws MutationRejected where the mutation builds on one that was rejected or never decided. Settled ones need no
 * check: the client knew their outcome, and would not have sent this one on a rejected one.
 */
export function checkDependencies({ earlier }: OpenPush, { after }: PushedMutation, settledTo: number): void {
  const on = after.find((counter) => counter > settledTo && earlier.statusOf(counter) !== 'committed')
  if (on === undefined) return
  throw new MutationRejected({ kind: 'dependency', message: 'A mutation on which this one builds was rejected.', on })
}

/** Remembers a committed mutation, because later ones of the push may build on it. */
export function remember({ earlier }: OpenPush, mutation: PushedMutation, effects: Effects | null): void {
  const predicted = [...(predictionOf(mutation) ?? [])]
  earlier.add({ counter: mutation.counter, status: 'committed', predicted, effects })
}

/** Returns what the app is called with once the mutation is committed; null where the app does not listen. */
export const toTell = (push: OpenPush, mutation: PushedMutation): CommittedMutation | null =>
  push.options.onCommitted || push.options.tells ? committedMutation(push, mutation) : null

function committedMutation({ client, session }: OpenPush, mutation: PushedMutation): CommittedMutation {
  const { counter, at } = mutation
  const common = { id: mutationId(client, counter), client, userId: session.userId, counter, at }
  return mutation.kind === 'patch'
    ? { ...common, kind: 'patch', rows: mutation.rows }
    : { ...common, kind: 'action', name: mutation.name, args: mutation.args }
}
