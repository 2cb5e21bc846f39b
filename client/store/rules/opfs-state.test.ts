import { describe, expect, test } from 'vitest'
import { cutTornLine, judgeState } from './opfs-state.ts'

const TREE = JSON.stringify({ root: { type: 'directory', children: { PG_VERSION: { type: 'file' } } }, pool: ['a'] })
const EMPTY = JSON.stringify({ root: { type: 'directory', children: {} }, pool: [] })
const change = (path: string) => JSON.stringify({ opp: 'createFileNode', args: [path, { type: 'file' }] })

describe('the list of PGlite’s files', () => {
  test.each([
    ['a tree alone', TREE],
    ['a tree with changes', [TREE, change('/a'), change('/b')].join('\n')],
    ['a first file that came as a change', [EMPTY, change('/PG_VERSION')].join('\n')],
  ])('%s is whole', (_, text) => {
    expect(judgeState(text)).toBe('whole')
  })

  test.each([
    ['nothing', ''],
    ['a tree that is cut', TREE.slice(0, -1)],
    ['a tree of nothing', 'null'],
    ['a tree without the first file', [EMPTY, change('/a')].join('\n')],
  ])('%s has no head', (_, text) => {
    expect(judgeState(text)).toBe('headless')
  })

  test('JRN-R19 whatever is cut from its end leaves what was before the last change', () => {
    const text = [TREE, change('/a'), change('/ä')].join('\n')
    const kept = [TREE, change('/a')].join('\n')
    for (let cut = kept.length + 2; cut < text.length; cut++) {
      expect(judgeState(text.slice(0, cut))).toBe('torn')
      expect(cutTornLine(text.slice(0, cut))).toBe(kept)
    }
    expect(judgeState(`${text}\n\0\0`)).toBe('torn')
    expect(judgeState(kept)).toBe('whole')
  })

  test('a change that cannot be read before others that can is damage', () => {
    expect(judgeState([TREE, 'x', change('/a')].join('\n'))).toBe('damaged')
    expect(judgeState([EMPTY, 'x'].join('\n'))).toBe('damaged')
  })
})
