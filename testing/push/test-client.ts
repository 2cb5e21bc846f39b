import {
  LIMITS,
  type Outcome,
  type PatchRow,
  type PushAnswer,
  type PushedMutation,
  type Rejection,
  type Row,
} from '../../protocol/index.ts'
import { ORG_A } from './push-app.ts'

/** Sends a push; in the tests of the rules straight to them, in those of the Worker as a request. */
export type SendPush = (body: unknown, who: Author) => Promise<PushAnswer>

export interface Author {
  readonly userId: string
  readonly audiences: readonly string[]
}

const AT = '2026-01-02T03:04:05.678Z'
let clients = 0

/** A replica that makes mutations and reports the server's answers. */
export class TestClient {
  readonly id: string
  readonly author: Author
  counter = 0
  acknowledged = 0
  readonly #send: SendPush

  constructor(send: SendPush, author: Author = { userId: 'ann', audiences: [`org:${ORG_A}`, 'all'] }, id?: string) {
    clients += 1
    this.#send = send
    this.author = author
    this.id = id ?? `push-client-${String(clients).padStart(8, '0')}`
  }

  patch(rows: readonly PatchRow[], more: Partial<PushedMutation> = {}): PushedMutation {
    this.counter += 1
    return { counter: this.counter, at: AT, after: [], kind: 'patch', rows: [...rows], ...more } as PushedMutation
  }

  action(name: string, args: unknown, more: Partial<PushedMutation> = {}): PushedMutation {
    this.counter += 1
    const base = { counter: this.counter, at: AT, after: [], kind: 'action', name, args, predicted: null }
    return { ...base, ...more } as PushedMutation
  }

  push(mutations: readonly unknown[]): Promise<PushAnswer> {
    const body = { protocol: LIMITS.protocolVersion, client: this.id, acknowledged: this.acknowledged, mutations }
    return this.#send(body, this.author)
  }

  /** Has the server decide them; answers their outcomes in short: `committed`, or the rejection. */
  async decide(...mutations: readonly unknown[]): Promise<('committed' | Rejection)[]> {
    const { outcomes, retry } = await this.push(mutations)
    if (retry !== null) throw new Error(`not decided: ${retry.message}`)
    return outcomes.map(shortOf)
  }
}

/** Shortens an outcome; one settled before is unknown, as to a replica that does not know how it was decided. */
export function shortOf(outcome: Outcome): 'committed' | Rejection {
  if (outcome.status === 'settled') return { kind: 'outcome-unknown', message: '' }
  return outcome.status === 'committed' ? 'committed' : outcome.rejection
}

export function insertOf(t: string, d: Row, z?: string[], a = `org:${ORG_A}`): PatchRow {
  return { o: 'i', t, a, k: { id: d.id ?? null }, d: { ...d }, ...(z ? { z } : {}) }
}

/** Makes an update; `changes` gives each column its value and its basis, which is a value or `{ m }`. */
export function updateOf(
  t: string,
  id: string,
  changes: Record<string, [string | null, string | null | { m: number }]>,
  a = `org:${ORG_A}`,
): PatchRow {
  const entries = Object.entries(changes)
  return {
    o: 'u',
    t,
    a,
    k: { id },
    d: Object.fromEntries(entries.map(([name, [value]]) => [name, value])),
    b: Object.fromEntries(
      entries.map(([name, [, basis]]) => [name, typeof basis === 'object' && basis !== null ? basis : { v: basis }]),
    ),
  }
}

export function deleteOf(t: string, id: string, a = `org:${ORG_A}`): PatchRow {
  return { o: 'd', t, a, k: { id } }
}
