import { describe, expect, test } from 'vitest'
import { asLsn, type Lsn } from '../../../protocol/index.ts'
import type { Author } from './author.ts'
import type { Frame } from './frame-assembler.ts'
import { coveredFrom, FrameCache } from './frame-cache.ts'
import { type Position, positionAt } from './position.ts'

const lsn = (step: number): Lsn => asLsn(step.toString(16).padStart(16, '0'))
const author = (client: string, more: Partial<Author> = {}): Author => ({
  audience: `client:${client}`,
  after: lsn(0),
  rowsTo: null,
  ...more,
})

/** A log whose frames say for whom they were made, and how often they were. */
function logOf(present: readonly string[]) {
  const counts = { looked: 0, made: 0 }
  const cache = new FrameCache({
    audiencesAfter: () => {
      counts.looked += 1
      return present
    },
    nextFrames: (position, audiences, own): Frame[] => {
      counts.made += 1
      const text = JSON.stringify([position.lsn, position.part, audiences, own])
      return [{ text, next: position, empty: false }]
    },
  })
  const textFor = (position: Position, seen: string[], own: Author | null = null) =>
    cache.nextFrames(position, new Set(seen), own)[0]?.text
  return { counts, textFor }
}

describe('frames of a broadcast', () => {
  test('DIS-24 DIS-R7 are made once for all who see the same of what is ahead, whatever else they see', () => {
    const { counts, textFor } = logOf(['org:1'])
    const texts = ['a', 'b', 'c'].map((user) => textFor(positionAt(lsn(1)), [`user:${user}`, 'org:1']))
    expect(new Set(texts).size).toBe(1)
    expect(counts).toEqual({ looked: 1, made: 1 })
  })

  test('DIS-24 DIS-R7 are as many as there are distinct sets of audiences ahead, not as there are sockets', () => {
    const { counts, textFor } = logOf(['org:1', 'org:2'])
    const orgsOf = (socket: number) => [['org:1'], ['org:2', 'org:1'], ['org:9']][socket % 3] ?? []
    for (let socket = 0; socket < 500; socket += 1) textFor(positionAt(lsn(0)), [...orgsOf(socket), `user:${socket}`])
    expect(counts).toEqual({ looked: 1, made: 3 })
  })

  test('DIS-R1 are for the audiences of their session alone, in whichever order it names them', () => {
    const { textFor } = logOf(['org:1', 'org:2', 'org:3'])
    const place = positionAt(lsn(1))
    expect(textFor(place, ['org:3', 'org:1'])).toContain('["org:1","org:3"]')
    expect(textFor(place, ['org:2'])).toContain('["org:2"]')
    expect(textFor(place, ['org:9'])).toContain('[]')
    // Frames that one session was given are not given to another.
    expect(textFor(place, ['org:1', 'org:3'])).not.toContain('org:2')
  })

  test('DIS-R6 are made for each place by itself, within a transaction too', () => {
    const { counts, textFor } = logOf(['org:1'])
    const part = { lsn: lsn(2), xid: '1', at: '', index: 1, sent: 3 }
    textFor(positionAt(lsn(1)), ['org:1'])
    textFor({ lsn: lsn(1), part }, ['org:1'])
    textFor({ lsn: lsn(1), part: { ...part, sent: 4 } }, ['org:1'])
    expect(counts).toEqual({ looked: 3, made: 3 })
  })

  test('DIS-24 DIS-R7 DIS-R17 are apart for an author of whom something is ahead, by all that he asks', () => {
    const { counts, textFor } = logOf(['org:1', 'client:a'])
    const place = positionAt(lsn(1))
    const asked = [null, author('a'), author('a', { after: lsn(1) }), author('a', { rowsTo: lsn(1) })]
    expect(new Set(asked.map((own) => textFor(place, ['org:1'], own))).size).toBe(4)
    expect(counts.made).toBe(4)
    // Whose mutations are not ahead, shares with all others.
    expect(textFor(place, ['org:1'], author('b'))).toBe(textFor(place, ['org:1']))
    expect(textFor(place, ['org:1'], author('c', { rowsTo: lsn(1) }))).toBe(textFor(place, ['org:1']))
    expect(counts.made).toBe(4)
  })

  test('DIS-R17 name no client’s audience to whoever is another', () => {
    const { textFor } = logOf(['org:1', 'client:a'])
    expect(textFor(positionAt(lsn(1)), ['org:1'], author('b'))).not.toContain('client:')
  })
})

describe('from where a log answers', () => {
  const starts = new Map<string, Lsn>([
    ['a', lsn(3)],
    ['b', lsn(7)],
    ['client:x', lsn(9)],
  ])
  const covered = (audiences: string[], trimmedTo: number, own: Author | null = null) =>
    coveredFrom(audiences, (audience) => starts.get(audience) ?? null, lsn(trimmedTo), own)

  test('DIS-R3 is the latest place at which one of the audiences joined, or to which it was cut', () => {
    expect(covered(['a', 'b'], 0)).toBe(lsn(7))
    expect(covered(['a', 'b'], 8)).toBe(lsn(8))
    expect(covered([], 5)).toBe(lsn(5))
  })

  test('DIS-05 DIS-R3 is nowhere for an audience that has not joined', () => {
    expect(covered(['a', 'c'], 9)).toBeNull()
  })

  test('DIS-R17 is where the client joined for whoever has something unsettled', () => {
    expect(covered(['a'], 0, author('x'))).toBe(lsn(9))
    expect(covered(['a'], 0, author('x', { after: lsn(8) }))).toBe(lsn(9))
    expect(covered(['a'], 0, author('x', { after: lsn(9) }))).toBe(lsn(3))
    expect(covered(['a'], 12, author('x'))).toBe(lsn(12))
  })

  test('DIS-R17 is nowhere for a client that has not joined, settled or not', () => {
    expect(covered(['a'], 0, author('y'))).toBeNull()
    expect(covered(['a'], 0, author('y', { after: lsn(99) }))).toBeNull()
  })
})
