import { describe, expect, it } from 'vitest'
import { testsOf } from './test-titles.ts'

const titlesIn = (source: string) => testsOf('a.test.ts', source).map(({ title }) => title)

describe('titles of tests', () => {
  it('are read in every form of test', () => {
    const source = `it('one', f)
      test(\`two \${x}\`, f)
      it.each([(1), g(2)])('three', f)
      it(
        "it's four",
      )
      it.for\`a | b\`('five', f)`
    expect(titlesIn(source)).toEqual(['one', `two \${x}`, 'three', "it's four", 'five'])
  })

  it('carry those of the describes around them', () => {
    const source =
      "describe.each(['x'])('a %s', (x: string) => {\n  describe('b', () => { it('c', f) })\n  it('d', f)\n})\nit('e', f)"
    expect(titlesIn(source)).toEqual(['a %s > b > c', 'a %s > d', 'e'])
  })

  it('are found in loops and functions, and not in text or comments', () => {
    const source = `for (const n of [1]) it(\`n \${n}\`, f)
      const suite = () => it('s', f)
      // it('no', f)
      const text = "it('no', f)"`
    expect(titlesIn(source)).toEqual([`n \${n}`, 's'])
  })

  it('come with what modifies them', () => {
    const source = "describe.skip('a', () => it.only('b', f))\nit.skipIf(true)('c', f)"
    expect(testsOf('a.test.ts', source).map(({ modifiers }) => modifiers)).toEqual([['skip', 'only'], ['skipIf']])
  })
})
