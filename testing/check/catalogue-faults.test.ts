import { describe, expect, it } from 'vitest'
import { catalogueFaults, parseCatalogue } from './catalogue-faults.ts'

const catalogue = parseCatalogue(
  '|ID|Setup|Outcome|When|\n|-|-|-|-|\n|CAP-01|a|b|now|\n|OUT-01|a|b|later: writing|\n',
  '- **CAP-R1** holds.\n',
)
const file = (path: string, ...titles: string[]) => ({
  path,
  tests: titles.map((title) => ({ title, modifiers: [] })),
})

describe('catalogue against tests', () => {
  it('is content when every scenario due now and every rule stands in a title', () => {
    expect(catalogueFaults(catalogue, [file('a.postgres.test.ts', 'CAP-01 CAP-R1 works')])).toEqual([])
  })

  it('names what has no test', () => {
    expect(catalogueFaults(catalogue, [])).toEqual(['scenario CAP-01 has no test', 'rule CAP-R1 has no test'])
  })

  it('names tests that quote the unknown, quote nothing, or stand twice', () => {
    const titles = ['CAP-01 CAP-R1', 'CAP-99 x', 'FLD-999 x', 'nothing', 'nothing']
    const faults = catalogueFaults(catalogue, [file('e2e/a.test.ts', ...titles)])
    expect(faults).toEqual([
      'e2e/a.test.ts: "CAP-99 x" quotes CAP-99, which no page defines',
      'e2e/a.test.ts: "FLD-999 x" quotes FLD-999, which no page defines',
      'e2e/a.test.ts: "nothing" names no scenario and no rule',
      'e2e/a.test.ts: "nothing" names no scenario and no rule',
      'e2e/a.test.ts: "nothing" is the title of two tests',
    ])
  })

  it('takes a scenario for due unless its row says what it waits for', () => {
    const { scenarios } = parseCatalogue(
      '|CAP-02|a|b|now (half of it)|\n|CAP-03|a|b|\n|FLD-100|a|b|now|\n|OUT-01|a|b|later: writing|\n',
      '',
    )
    expect([...scenarios]).toEqual([
      ['CAP-02', true],
      ['CAP-03', true],
      ['FLD-100', true],
      ['OUT-01', false],
    ])
  })

  it('names tests that do not run', () => {
    const tests = [{ title: 'CAP-01 CAP-R1', modifiers: ['each', 'skip'] }]
    expect(catalogueFaults(catalogue, [{ path: 'a.test.ts', tests }])).toEqual([
      'a.test.ts: "CAP-01 CAP-R1" does not count, because of .skip',
    ])
  })
})
