import { describe, expect, it } from 'vitest'
import { isNode, parseNodeTree } from './node-tree.ts'

describe('node trees', () => {
  it('reads nodes, lists, words, bytes and what is not there', () => {
    expect(
      parseNodeTree('({VAR :varno 1 :alias <> :names ("a" "b\\ c") :bits (b 8 9) :constvalue 4 [ 5 0 0 -1 ]})'),
    ).toEqual([
      {
        kind: 'VAR',
        fields: {
          varno: '1',
          alias: null,
          names: ['a', 'b c'],
          bits: ['b', '8', '9'],
          constvalue: ['4', ['5', '0', '0', '-1']],
        },
      },
    ])
  })

  it('takes an escaped character for no sign of the form', () => {
    const tree = parseNodeTree('{ALIAS :aliasname a\\ :relid\\ 5\\)\\} :colnames <>}')
    expect(tree).toEqual({ kind: 'ALIAS', fields: { aliasname: 'a :relid 5)}', colnames: null } })
    expect(isNode(tree, 'ALIAS')).toBe(true)
    expect(isNode(tree, 'VAR')).toBe(false)
    expect(isNode(null)).toBe(false)
  })

  it('throws where the text ends too early or is none', () => {
    expect(() => parseNodeTree('{VAR :varno')).toThrow()
    expect(() => parseNodeTree('({VAR')).toThrow()
    expect(() => parseNodeTree('{VAR varno 1}')).toThrow(/no field/)
  })
})
