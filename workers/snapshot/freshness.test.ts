import { describe, expect, test } from 'vitest'
import { asLsn } from '../../protocol/index.ts'
import { type FinishedBuild, isFresh, type Present } from './freshness.ts'

const BUILD: FinishedBuild = {
  id: 'b',
  audience: 'org:1',
  epoch: 'e',
  definitionVersion: 3,
  definitionHash: 'h',
  start: asLsn('00000000000a0000'),
  startedAtMs: 1_000,
}
const PRESENT: Present = { epoch: 'e', floor: asLsn('00000000000a0000'), definitionVersion: 3, definitionHash: 'h' }

describe('how long a snapshot holds', () => {
  test('SNP-R6 SNP-06 as long as epoch, definition and floor are what they were, up to its age', () => {
    expect(isFresh(BUILD, 'org:1', PRESENT, 1_999, 1_000)).toBe(true)
    expect(isFresh(BUILD, 'org:1', PRESENT, 2_000, 1_000)).toBe(false)
  })

  test.each<[string, Partial<Present>]>([
    ['another epoch', { epoch: 'f' }],
    ['no epoch', { epoch: null }],
    ['another definition', { definitionHash: 'i' }],
    ['another version', { definitionVersion: 4 }],
    ['a floor past its start', { floor: asLsn('00000000000a0008') }],
  ])('SNP-R6 SNP-13 not with %s', (_, change) => {
    expect(isFresh(BUILD, 'org:1', { ...PRESENT, ...change }, 1_500, 1_000)).toBe(false)
  })

  test('SNP-R6 SEC-02 not for another audience', () => {
    expect(isFresh(BUILD, 'org:2', PRESENT, 1_500, 1_000)).toBe(false)
  })
})
