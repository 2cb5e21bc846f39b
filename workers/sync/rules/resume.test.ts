import { describe, expect, test } from 'vitest'
import { asLsn, type Hello, LIMITS, type Lsn, ZERO_LSN } from '../../../protocol/index.ts'
import { decideResume, refuseStream, type ServerState, speaksOurProtocol } from './resume.ts'

const lsn = (step: number): Lsn => asLsn((0xfffffff0n + BigInt(step)).toString(16).padStart(16, '0'))
const server: ServerState = {
  epoch: 'e',
  definitionVersion: 4,
  definitionHash: 'h',
  floor: lsn(10),
  audiences: ['org:1', 'user:1'],
}
const hello: Hello = {
  type: 'hello',
  protocol: LIMITS.protocolVersion,
  client: 'client-0123456789',
  epoch: 'e',
  cursor: lsn(20),
  definitionVersion: 4,
  definitionHash: 'h',
  audiences: ['user:1', 'org:1'],
  unsettled: false,
}
const resume = (more: Partial<Hello>, changed: Partial<ServerState> = {}) =>
  decideResume({ ...hello, ...more }, { ...server, ...changed })

describe('a client goes on from its cursor', () => {
  test.each<[string, Partial<Hello>, Partial<ServerState>]>([
    ['where all is as it was', {}, {}],
    ['at the very floor', { cursor: lsn(10) }, {}],
    ['where it holds more than its session may see', { audiences: ['org:1', 'org:2', 'user:1'] }, {}],
    ['where its session may see nothing', { audiences: [] }, { audiences: [] }],
  ])('DIS-R4 HIS-04 %s', (_, more, changed) => {
    const from = more.cursor ?? hello.cursor
    expect(resume(more, changed)).toEqual({ resume: 'stream', reason: null, from })
  })

  test('DIS-R4 HIS-06 from below the last of its rows, as long as that is not below the floor', () => {
    expect(resume({ cursor: ZERO_LSN }, { floor: ZERO_LSN })).toMatchObject({ resume: 'stream', from: ZERO_LSN })
  })
})

describe('a client loads anew', () => {
  test.each<[string, Partial<Hello>, string]>([
    [
      'that holds nothing',
      { epoch: null, cursor: null, definitionVersion: null, definitionHash: null, audiences: [] },
      'new',
    ],
    ['that has no cursor', { cursor: null }, 'new'],
    ['that has no definition', { definitionHash: null }, 'new'],
    ['of another history', { epoch: 'f' }, 'epoch'],
    ['of another definition', { definitionHash: 'other' }, 'definition'],
    ['of an earlier version of the same definition', { definitionVersion: 3 }, 'definition'],
    ['that does not know of which version its definition is', { definitionVersion: null }, 'definition'],
    ['whose cursor is below what is kept', { cursor: lsn(9) }, 'retention'],
    ['that may see more than it holds', { audiences: ['org:1'] }, 'audience-granted'],
  ])('DIS-R4 %s', (_, more, reason) => {
    expect(resume(more)).toEqual({ resume: 'hydrate', reason, from: null })
  })

  test('DIS-R4 HIS-07 for the first reason of them all: places of two histories do not compare', () => {
    const all = { epoch: 'f', definitionHash: 'other', cursor: ZERO_LSN, audiences: [] }
    expect(resume({ ...all, cursor: null }).reason).toBe('new')
    expect(resume(all).reason).toBe('epoch')
    expect(resume({ ...all, epoch: 'e' }).reason).toBe('definition')
    expect(resume({ ...all, epoch: 'e', definitionHash: 'h' }).reason).toBe('retention')
    expect(resume({ ...all, epoch: 'e', definitionHash: 'h', cursor: lsn(99) }).reason).toBe('audience-granted')
  })
})

test('OPS-R9 a client that an operator has load everything loads it, whatever it holds', () => {
  expect(resume({}, { isToLoad: true })).toEqual({ resume: 'hydrate', reason: 'diverged', from: null })
  expect(resume({ epoch: 'f' }, { isToLoad: true }).reason).toBe('epoch')
})

test('DIS-R4 a stream begins in this history at or above what is kept, and nowhere else', () => {
  expect(refuseStream({ epoch: 'e', from: lsn(10) }, server)).toBeNull()
  expect(refuseStream({ epoch: 'e', from: lsn(9) }, server)).toBe('retention')
  expect(refuseStream({ epoch: 'f', from: lsn(99) }, server)).toBe('epoch')
  expect(refuseStream({ epoch: 'f', from: ZERO_LSN }, server)).toBe('epoch')
})

test('only this version of the protocol is ours, no later one either', () => {
  expect(speaksOurProtocol(hello)).toBe(true)
  for (const step of [-1, 1])
    expect(speaksOurProtocol({ ...hello, protocol: LIMITS.protocolVersion + step })).toBe(false)
})
