import { expect, test } from 'vitest'
import type { MarkedChange } from '../../../protocol/index.ts'
import { splitAtVersions } from './split-versions.ts'

const version = (number: number): MarkedChange => ({ o: 'v', k: { version: String(number) } })
const [a, b, c] = ['a', 'b', 'c'].map((t): MarkedChange => ({ o: 't', t }))

test.each<[string, (MarkedChange | undefined)[], number[], (MarkedChange | undefined)[][]]>([
  ['without versions all is one', [a, b], [], [[a, b]]],
  ['a version divides', [a, version(2), b], [2], [[a], [b]]],
  ['several divide in order', [version(2), a, version(3), b, c, version(4)], [2, 3, 4], [[], [a], [b, c], []]],
  ['a piece ends within a version', [a, version(2), b], [2, 3], [[a], [b]]],
  ['a version that is not noted begins with the next', [a, version(3), b], [2, 3], [[a], [], [b]]],
  ['a version that is not asked for divides nothing', [a, version(9), b], [2], [[a, version(9), b]]],
])('MIG-R2 %s', (_, changes, versions, stretches) => {
  expect(splitAtVersions(changes as MarkedChange[], versions)).toEqual(stretches)
})
