import { describe, expect, test } from 'vitest'
import { decodeFrames, encodeFrames } from './frames.ts'

describe('records in a file', () => {
  const texts = ['', 'a', '{"ä":"💧"}', 'x'.repeat(1_000)]

  test('JRN-R10 a file that is cut at any byte tells what stood whole before the cut, and that it was cut', () => {
    const bytes = encodeFrames(texts)
    expect(decodeFrames(bytes)).toEqual({ texts, isWhole: true })
    let end = 0
    const ends = texts.map((text) => (end += 8 + new TextEncoder().encode(text).length))
    for (let cut = 0; cut < bytes.length; cut++) {
      const whole = ends.filter((one) => one <= cut).length
      const isWhole = cut === 0 || ends.includes(cut)
      expect(decodeFrames(bytes.subarray(0, cut))).toEqual({ texts: texts.slice(0, whole), isWhole })
    }
  })

  test('JRN-R10 no byte can change unseen, and nothing behind it is read', () => {
    const bytes = encodeFrames(texts)
    for (let place = 0; place < bytes.length; place++) {
      const damaged = bytes.slice()
      damaged[place] = (damaged[place] ?? 0) ^ 0x20
      const found = decodeFrames(damaged)
      expect(found.isWhole).toBe(false)
      expect(texts.slice(0, found.texts.length)).toEqual(found.texts)
    }
  })

  test('JRN-R10 a length that no record has is damage, whatever follows it', () => {
    const bytes = encodeFrames(texts)
    const damaged = bytes.slice()
    new DataView(damaged.buffer).setUint32(8, 0xffffffff)
    expect(decodeFrames(damaged)).toEqual({ texts: texts.slice(0, 1), isWhole: false })
  })

  test('a file is read from its own place in a larger buffer', () => {
    const bytes = encodeFrames(texts)
    const larger = new Uint8Array(bytes.length + 6)
    larger.set(bytes, 3)
    expect(decodeFrames(larger.subarray(3, 3 + bytes.length))).toEqual({ texts, isWhole: true })
  })

  test('files written one after the other are one file', () => {
    const both = new Uint8Array([...encodeFrames(['a']), ...encodeFrames(['b', 'c'])])
    expect(decodeFrames(both)).toEqual({ texts: ['a', 'b', 'c'], isWhole: true })
    expect(encodeFrames([])).toHaveLength(0)
  })
})
