import fc from 'fast-check'
import { expect, test } from 'vitest'
import { outlineStatement } from './statement-outline.ts'

test.each([
  [`UPDATE "user" SET name = 'Ann''s', age = 41 WHERE id=$1`, `UPDATE "user" SET name = ?, age = ? WHERE id=$1`],
  [`SELECT 1.5e3, .5, -7, t1.c2, x'ff', E'a\\'b', U&'\\0041'`, 'SELECT ?, ?, -?, t1.c2, ?, ?, ?'],
  [
    `/* application='shop' */ DELETE FROM t -- for ann@example\nWHERE a = $tag$se'cret$tag$`,
    'DELETE FROM t WHERE a = ?',
  ],
  [`INSERT INTO t VALUES ('cut in the mid`, 'INSERT INTO t VALUES (?'],
  ['SELECT $$cut', 'SELECT ?'],
  ['SELECT 1 /* cut', 'SELECT ?'],
  [`SELECT 1 /* a /* b */ secret */ FROM t`, 'SELECT ?'],
  [`SELECT 'it\\'s secret' FROM t`, 'SELECT ?'],
  ['\u001b[2J SELECT\n\t now()', '[? SELECT now()'],
  [`SELECT ${'column, '.repeat(100)}`, /^SELECT column, .{140,}…$/],
])('OPS-R3 the outline of %j has no value in it', (sql, outline) => {
  const found = outlineStatement(sql)
  if (typeof outline === 'string') expect(found).toBe(outline)
  else expect(found).toMatch(outline)
  expect(found.length).toBeLessThanOrEqual(160)
})

test('OPS-R3 no string, number or comment is in the outline, wherever the server cut the statement', () => {
  const secret = 'zz9secret9zz'
  const pieces = fc.constantFrom(
    `'${secret}'`,
    `'it''s ${secret}'`,
    `E'\\'${secret}'`,
    `$x$ ' ${secret}$x$`,
    `/* ' ${secret} */`,
    `-- ${secret} '\n`,
    ' = ',
    ', ',
    '"name"',
    ' SET a',
    '4711',
  )
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 12 }), fc.nat(), (parts, cut) => {
      const sql = `UPDATE t SET a = ${parts.join(' ')}`
      const outline = outlineStatement(sql.slice(0, 17 + (cut % (sql.length - 16))))
      expect(outline).not.toContain('secret')
      expect(outline).not.toContain('4711')
    }),
  )
})
