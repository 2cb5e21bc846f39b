import {
  counterSchema,
  LIMITS,
  type PushedMutation,
  type PushRequest,
  pushedMutationSchema,
  pushRequestSchema,
  type Rejection,
  TidemarkError,
} from '../../../protocol/index.ts'

/** One entry of a push: the mutation, or why it is refused. */
export interface ParsedMutation {
  readonly counter: number
  /** The JSON text that the digest is made of. */
  readonly json: string
  readonly content: PushedMutation | Rejection
}

export const isMutation = (content: PushedMutation | Rejection): content is PushedMutation => 'at' in content

/** Parses the request of a push. Throws `bad-input`, `limit-exceeded` or `upgrade-required`. */
export function parsePush(body: unknown): Omit<PushRequest, 'mutations'> & { mutations: readonly ParsedMutation[] } {
  checkProtocol(body)
  if (countOf(body, 'mutations') > LIMITS.pushMutations) {
    throw new TidemarkError('limit-exceeded', `A push carries at most ${LIMITS.pushMutations} mutations.`)
  }
  const { data } = pushRequestSchema.safeParse(body)
  if (!data) throw new TidemarkError('bad-input', 'This is no push: { protocol, client, acknowledged, mutations }.')
  const mutations = data.mutations.map(parseMutation)
  if (mutations.some(({ counter }, index) => counter <= (mutations[index - 1]?.counter ?? 0))) {
    throw new TidemarkError('bad-input', 'The mutations of a push come in the order of their counters.')
  }
  return { ...data, mutations }
}

/** Throws `upgrade-required` where a request is of another version of the protocol. */
export function checkProtocol(body: unknown): void {
  const said = typeof body === 'object' && body !== null && 'protocol' in body ? body.protocol : null
  if (typeof said === 'number' && said !== LIMITS.protocolVersion) {
    throw new TidemarkError(
      'upgrade-required',
      `This server speaks protocol ${LIMITS.protocolVersion}; load the app anew.`,
    )
  }
}

function parseMutation(entry: unknown): ParsedMutation {
  const named = typeof entry === 'object' && entry !== null && 'counter' in entry ? entry.counter : null
  const counter = counterSchema.safeParse(named).data
  if (counter === undefined) throw new TidemarkError('bad-input', 'A mutation of this push has no counter.')
  try {
    const json = JSON.stringify(entry)
    return { counter, json, content: contentOf(entry, json) }
  } catch (error) {
    // Nested deeper than the stack allows: no replica makes that.
    throw new TidemarkError('bad-input', 'A mutation of this push is nested too deep.', { cause: error })
  }
}

function contentOf(entry: unknown, json: string): ParsedMutation['content'] {
  if (json.length > LIMITS.mutationChars || countOf(entry, 'rows') > LIMITS.mutationRows) {
    const message = `A mutation has at most ${LIMITS.mutationRows} rows and ${LIMITS.mutationChars} characters.`
    return { kind: 'limit-exceeded', message }
  }
  const { data } = pushedMutationSchema.safeParse(entry)
  if (!data)
    return {
      kind: 'invalid',
      message: 'The server does not know the form of this mutation: update the app, then make the change again.',
    }
  if (isStorable(data)) return data
  return { kind: 'invalid', message: 'A text with a NUL or half a character cannot be stored.' }
}

function countOf(value: unknown, name: 'rows' | 'mutations'): number {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return 0
  const list = (value as Readonly<Record<string, unknown>>)[name]
  return Array.isArray(list) ? list.length : 0
}

/** Tells whether Postgres can hold each text: no NUL, and no surrogate without its other half. */
export function isStorable(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed() && !value.includes('\0')
  if (typeof value !== 'object' || value === null) return true
  return Object.entries(value).every(([name, inner]) => isStorable(name) && isStorable(inner))
}
