import { describe, expect, test } from 'vitest'
import { LIMITS } from '../../protocol/index.ts'
import type { Http } from '../connection/http.ts'
import { askOutcomes, push } from './push-client.ts'
import { cutBatch } from './rules/cut-batch.ts'

const never = new AbortController().signal
const client = 'a-client-of-the-tests'

function answering(...answers: unknown[]): { http: Http; posted: [string, string][] } {
  const posted: [string, string][] = []
  const post: Http['post'] = async (path, body) => {
    posted.push([path, body])
    return answers.shift()
  }
  const unused = () => Promise.reject(new Error('not asked for'))
  return { http: { post, json: unused, bytes: unused }, posted }
}

const frozen = (counter: number, text = '') => ({ counter, request: `{"counter": ${counter}${text}}` })
const committed = (counter: number) => ({ counter, status: 'committed' as const })

describe('push', () => {
  test('OBX-R4 what was frozen goes to the byte, in order, with what is acknowledged', async () => {
    const { http, posted } = answering({ outcomes: [committed(3), committed(4)], retry: null })
    const mutations = [frozen(3, ',  "odd":1.0'), frozen(4)]
    expect(await push(http, { client, acknowledged: 2, mutations }, never)).toEqual({
      outcomes: [committed(3), committed(4)],
      putOff: null,
    })
    expect(posted).toEqual([
      [
        '/sync/push',
        `{"protocol":${LIMITS.protocolVersion},"client":"${client}","acknowledged":2,"mutations":[{"counter": 3,  "odd":1.0},{"counter": 4}]}`,
      ],
    ])
  })

  test('OUT-18 OBX-R8 an answer in part says when the rest is due; one that is none is not believed', async () => {
    const mutations = [frozen(1), frozen(2)]
    const ask = (answer: unknown) => push(answering(answer).http, { client, acknowledged: 0, mutations }, never)
    const outcomes = [committed(1)]
    const busy = { message: 'Deadlock.', afterMs: 250 }
    expect(await ask({ outcomes, retry: busy })).toMatchObject({ outcomes, putOff: { retryAfterMs: 250 } })
    const putOff = { kind: 'unavailable', retryAfterMs: null }
    expect(await ask({ outcomes, retry: null })).toMatchObject({ outcomes, putOff })
    for (const odd of [{ outcomes: [committed(2)], retry: null }, { outcomes: 'all', retry: null }, null])
      await expect(ask(odd)).rejects.toMatchObject({ kind: 'unavailable' })
  })

  test('OUT-19 OBX-R11 a push is cut at the count and at the size, and one mutation always fits', () => {
    const many = Array.from({ length: 5 }, (_, index) => frozen(index + 1, ',"a":"0123456789"'))
    const size = many[0]?.request.length ?? 0
    expect(cutBatch(many, { mutations: 3, chars: 1_000 })).toHaveLength(3)
    expect(cutBatch(many, { mutations: 9, chars: 2 * size })).toHaveLength(2)
    expect(cutBatch(many, { mutations: 9, chars: 1 })).toHaveLength(1)
    expect(cutBatch(many, { mutations: 9, chars: 1_000 })).toEqual(many)
    expect(cutBatch([], { mutations: 9, chars: 1 })).toEqual([])
  })

  test('OBX-R9 outcomes are asked for in bounded requests, of one history', async () => {
    const counters = Array.from({ length: LIMITS.outcomesCounters + 1 }, (_, index) => index + 1)
    const answer = (counter: number, epoch = 'one') => ({
      epoch,
      outcomes: [{ outcome: committed(counter), lsn: null }],
    })
    const { http, posted } = answering(answer(1), answer(1_001))
    expect(await askOutcomes(http, client, counters, never)).toEqual({
      epoch: 'one',
      outcomes: [...answer(1).outcomes, ...answer(1_001).outcomes],
    })
    expect(posted.map(([path, body]) => [path, JSON.parse(body).counters.length])).toEqual([
      ['/sync/outcomes', LIMITS.outcomesCounters],
      ['/sync/outcomes', 1],
    ])
    const moved = answering(answer(1), answer(1_001, 'two')).http
    await expect(askOutcomes(moved, client, counters, never)).rejects.toMatchObject({ kind: 'unavailable' })
    await expect(askOutcomes(answering('<html>').http, client, [], never)).rejects.toMatchObject({
      kind: 'unavailable',
    })
  })
})
