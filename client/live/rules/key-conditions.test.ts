import { describe, expect, it } from 'vitest'
import { readKeyConditions } from './key-conditions.ts'

const TABLE =
  '{RANGETBLENTRY :eref {ALIAS :aliasname t :colnames ("id" "n")} :rtekind 0 :relid 16385 :inh true :relkind r}'
const variable = (place: number, level = 0) => `{VAR :varno 1 :varattno ${place} :vartype 25 :varlevelsup ${level}}`
const parameter = (place: number) => `{PARAM :paramkind 0 :paramid ${place} :paramtype 25}`
const equals = (left: string, right: string, call = 67, collation = 100) =>
  `{OPEXPR :opno 98 :opfuncid ${call} :inputcollid ${collation} :args (${left} ${right}) :location -1}`
const and = (...conditions: readonly string[]) => `{BOOLEXPR :boolop and :args (${conditions.join(' ')})}`
const or = (...conditions: readonly string[]) => `{BOOLEXPR :boolop or :args (${conditions.join(' ')})}`
const text = (...bytes: number[]) =>
  `{CONST :consttype 25 :constisnull false :constvalue ${bytes.length + 4} [ 0 0 0 0 ${bytes.join(' ')} ]}`
const integer = (type: number, ...bytes: number[]) =>
  `{CONST :consttype ${type} :constisnull false :constvalue ${bytes.length} [ ${bytes.join(' ')} ]}`

interface Form {
  readonly tables?: string
  readonly sublinks?: boolean
  readonly ctes?: string
  readonly sets?: string
}

function query(quals: string, { tables = TABLE, sublinks = false, ctes = '<>', sets = '<>' }: Form = {}): string {
  return `(({QUERY :commandType 1 :hasSubLinks ${sublinks} :cteList ${ctes} :rtable (${tables}) :jointree {FROMEXPR :fromlist ({RANGETBLREF :rtindex 1}) :quals ${quals}} :setOperations ${sets}}))`
}

describe('conditions on keys', () => {
  it('reads a column that equals a parameter or a constant, either way round', () => {
    expect(readKeyConditions(query(equals(variable(1), parameter(1))))).toEqual([
      { column: 1, value: { parameter: 1 } },
    ])
    expect(readKeyConditions(query(equals(parameter(2), variable(2))))).toEqual([
      { column: 2, value: { parameter: 2 } },
    ])
    expect(readKeyConditions(query(equals(variable(2), text(195, 164, 98))))).toEqual([
      { column: 2, value: { text: 'äb' } },
    ])
    const relabeled = `{RELABELTYPE :arg ${variable(2)} :resulttype 25}`
    expect(readKeyConditions(query(equals(relabeled, parameter(1))))).toHaveLength(1)
  })

  it('reads integers of each size', () => {
    const valueIn = (constant: string) => readKeyConditions(query(equals(variable(1), constant, 65, 0)))[0]?.value
    expect(valueIn(integer(21, -2, -1, 0, 0))).toEqual({ text: '-2' })
    expect(valueIn(integer(23, 5, 1, 0, 0))).toEqual({ text: '261' })
    expect(valueIn(integer(20, -1, -1, -1, -1, -1, -1, -1, 127))).toEqual({ text: '9223372036854775807' })
    expect(valueIn('{CONST :consttype 23 :constisnull true :constvalue <>}')).toBeUndefined()
    expect(valueIn(integer(1700, 5, 1, 0, 0))).toBeUndefined()
  })

  it('reads all that must hold, and nothing of what may', () => {
    const [one, two] = [equals(variable(1), parameter(1)), equals(variable(2), parameter(2))]
    expect(readKeyConditions(query(and(one, and(two))))).toHaveLength(2)
    expect(readKeyConditions(query(or(one, two)))).toEqual([])
    expect(readKeyConditions(query(and(one, or(two, one))))).toHaveLength(1)
    expect(readKeyConditions(query('<>'))).toEqual([])
  })

  it('knows no equality whose values may have several texts', () => {
    expect(readKeyConditions(query(equals(variable(1), parameter(1), 1718)))).toEqual([])
    expect(readKeyConditions(query(equals(variable(1), parameter(1), 67, 16400)))).toEqual([])
    expect(readKeyConditions(query(equals(variable(-1), parameter(1))))).toEqual([])
    expect(readKeyConditions(query(equals(variable(1, 1), parameter(1))))).toEqual([])
    expect(readKeyConditions(query(equals(variable(1), variable(2))))).toEqual([])
  })

  it('reads nothing where another relation may count', () => {
    const condition = equals(variable(1), parameter(1))
    expect(readKeyConditions(query(condition, { tables: `${TABLE} ${TABLE}` }))).toEqual([])
    expect(readKeyConditions(query(condition, { sublinks: true }))).toEqual([])
    expect(readKeyConditions(query(condition, { ctes: '({COMMONTABLEEXPR :ctename x})' }))).toEqual([])
    expect(readKeyConditions(query(condition, { sets: '{SETOPERATIONSTMT :op 1}' }))).toEqual([])
    expect(readKeyConditions(query(condition, { tables: TABLE.replace(':rtekind 0', ':rtekind 3') }))).toEqual([])
    expect(readKeyConditions(query(condition, { tables: `${TABLE} {RANGETBLENTRY :rtekind 9}` }))).toHaveLength(1)
    expect(readKeyConditions('no tree {')).toEqual([])
  })
})
