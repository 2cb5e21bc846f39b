import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type FrameDown,
  frameDownSchema,
  type Lsn,
  type MarkedChange,
  type WireChange,
} from '../../../protocol/index.ts'
import { type Frame, FrameAssembler, type FramedChange, slices } from './frame-assembler.ts'
import { type Position, positionAt } from './position.ts'

const lsn = (step: number) => (0xffffff0n + BigInt(step)).toString(16).padStart(16, '0') as Lsn

/** Makes transactions from the number of characters of each change. */
function changesOf(transactions: readonly (readonly number[])[]): FramedChange[] {
  return transactions.flatMap((sizes, index) =>
    sizes.map((size, seq) => {
      const wire: WireChange = {
        o: 'i',
        t: 'public.t',
        a: 'org:1',
        d: { id: `${index}.${seq}`, x: '😀'.repeat(size / 2) },
      }
      return { lsn: lsn(index + 1), xid: String(index), at: '2026-01-01T00:00:00Z', text: JSON.stringify(wire) }
    }),
  )
}

/** Receives frames as a replica does: whole transactions in order. */
function receive(frames: readonly Frame[], from: Lsn): { ids: string[]; lsns: Lsn[]; cursor: Lsn } {
  let cursor = from
  const ids: string[] = []
  const lsns: Lsn[] = []
  let partial: MarkedChange[] = []
  let piece: { index: number; text: string } | null = null
  const idOf = (change: MarkedChange) => (change.o === 'i' ? String(change.d.id) : change.o)
  const settle = () => {
    if (piece) partial.push(JSON.parse(piece.text))
    piece = null
  }
  for (const { text } of frames) {
    const frame: FrameDown = frameDownSchema.parse(JSON.parse(text))
    if (frame.type === 'batch') {
      expect(frame.from).toBe(cursor)
      for (const one of frame.transactions) {
        ids.push(...one.changes.map(idOf))
        lsns.push(one.lsn)
      }
      cursor = frame.to
    } else if (frame.type === 'fragment') {
      expect(frame.from).toBe(cursor)
      if (piece && piece.index !== frame.index) settle()
      piece ??= { index: frame.index, text: '' }
      piece.text += frame.text
    } else if (frame.type === 'part') {
      expect(frame.from).toBe(cursor)
      settle()
      partial.push(...frame.changes)
      if (frame.last) {
        ids.push(...partial.map(idOf))
        lsns.push(frame.lsn)
        partial = []
        cursor = frame.lsn
      }
    }
  }
  return { ids, lsns, cursor }
}

function assemble(position: Position, changes: readonly FramedChange[], to: Lsn, frameChars: number): Frame[] {
  const assembler = new FrameAssembler(position, to, frameChars)
  return [...changes.flatMap((change) => assembler.push(change)), ...assembler.finish(to)]
}

/** Selects the changes that are still ahead of a position, as the log or history would. */
function ahead(position: Position, changes: readonly FramedChange[]): FramedChange[] {
  let skip = position.part?.sent ?? 0
  return changes.filter((change) => {
    if (change.lsn <= position.lsn) return false
    if (change.lsn !== position.part?.lsn || skip === 0) return true
    skip -= 1
    return false
  })
}

const workload = fc.array(fc.array(fc.integer({ min: 0, max: 900 }), { minLength: 1, maxLength: 8 }), { maxLength: 8 })
const idsOf = (changes: readonly FramedChange[]) => changes.map(({ text }) => JSON.parse(text).d.id)

describe('frames', () => {
  it('DIS-R5 DIS-17 carry every transaction whole and in order, whatever its size', () => {
    fc.assert(
      fc.property(workload, fc.integer({ min: 60, max: 1_500 }), (sizes, frameChars) => {
        const changes = changesOf(sizes)
        const received = receive(assemble(positionAt(lsn(0)), changes, lsn(100), frameChars), lsn(0))
        expect(received.ids).toEqual(idsOf(changes))
        expect(received.lsns).toEqual(sizes.map((_, index) => lsn(index + 1)))
        expect(received.cursor).toBe(lsn(100))
      }),
    )
  })

  it('DIS-R6 DIS-19 go on from the position after any frame as if nothing had happened', () => {
    fc.assert(
      fc.property(
        workload,
        fc.integer({ min: 60, max: 1_500 }),
        fc.infiniteStream(fc.nat({ max: 3 })),
        (sizes, frameChars, stops) => {
          const changes = changesOf(sizes)
          let position = positionAt(lsn(0))
          const sent: Frame[] = []
          for (const stop of stops) {
            if (position.lsn === lsn(100)) break
            // A stop comes between changes, because fragments of one change go together.
            const assembler = new FrameAssembler(position, lsn(100), frameChars)
            const bursts = [
              ...ahead(position, changes).map((change) => assembler.push(change)),
              assembler.finish(lsn(100)),
            ]
            const taken = bursts
              .filter((burst) => burst.length > 0)
              .slice(0, stop + 1)
              .flat()
            sent.push(...taken)
            position = taken.at(-1)?.next ?? position
          }
          expect(receive(sent, lsn(0)).ids).toEqual(idsOf(changes))
        },
      ),
    )
  })

  it('DIS-R5 stay near the size asked for', () => {
    for (const frame of assemble(
      positionAt(lsn(0)),
      changesOf([[100, 100], Array(50).fill(300), [5_000], [10]]),
      lsn(9),
      1_000,
    )) {
      // A frame also holds its envelope, and the escapes of a fragment's text.
      expect(frame.text.length).toBeLessThan(1_600)
    }
  })

  it('DIS-16 without changes only tell the head', () => {
    const [frame, ...rest] = assemble(positionAt(lsn(1)), [], lsn(3), 1_000)
    expect(rest).toEqual([])
    expect(frame?.empty).toBe(true)
    expect(JSON.parse(frame?.text ?? '')).toEqual({
      type: 'batch',
      from: lsn(1),
      to: lsn(3),
      head: lsn(3),
      transactions: [],
    })
  })

  it('DIS-R5 never cut a surrogate pair', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.integer({ min: 1, max: 5 }), (text, chars) => {
        const pieces = slices(text, chars)
        expect(pieces.join('')).toBe(text)
        if (chars > 1 && text.isWellFormed()) expect(pieces.every((piece) => piece.isWellFormed())).toBe(true)
      }),
    )
  })
})
