import { isNode, parseNodeTree, type TreeNode, type TreeValue } from './node-tree.ts'

/** `column = value` at the top of a query's WHERE: the value is a parameter, `$1` is 1, or a constant's text. */
export interface KeyCondition {
  /** The column's place in its table, from 1. */
  readonly column: number
  readonly value: { readonly parameter: number } | { readonly text: string }
}

/**
 * Functions of `=` under which equal values have the same text whatever the settings: of int2, int4, int8 and each with
 * the others, text, uuid and enums, by the number that every Postgres gives them.
 */
const TEXTUAL_EQUALITY: ReadonlySet<string> = new Set(
  [63, 65, 467, 158, 159, 474, 852, 1850, 1856, 67, 2956, 3508].map(String),
)
const TEXT = '25'
const BYTES_OF_INTEGER: Readonly<Record<string, number>> = { '21': 2, '23': 4, '20': 8 }
const VALUE_HEADER_BYTES = 4
/** The database's own collation, C and POSIX: under these, equal texts are the same bytes. */
const EXACT_COLLATIONS: ReadonlySet<string> = new Set(['0', '100', '950', '951'])
const FROM_TABLE = '0'
/** Postgres lists the columns of GROUP BY as a relation too. */
const FROM_GROUPING = '9'
const BY_APP = '0'

/**
 * Reads which columns of its table a query holds to one value: only where it reads nothing but rows of one table, so
 * that a row with another value cannot change its result. Rule LIV-R3.
 */
export function readKeyConditions(tree: string): readonly KeyCondition[] {
  try {
    const query = onlyQuery(parseNodeTree(tree))
    return query && readsOneTable(query) ? conditionsOf(query) : []
  } catch {
    // A form that is not known here is no proof.
    return []
  }
}

/** A function's body is a list of a list of its queries. */
function onlyQuery(value: TreeValue): TreeNode | null {
  if (isNode(value, 'QUERY')) return value
  return Array.isArray(value) && value.length === 1 ? onlyQuery(value[0] as TreeValue) : null
}

function readsOneTable({ fields }: TreeNode): boolean {
  if (fields.hasSubLinks !== 'false' || fields.cteList !== null || fields.setOperations !== null) return false
  const relations = listOf(fields.rtable).filter((one) => !isNode(one) || one.fields.rtekind !== FROM_GROUPING)
  const [table] = relations
  return relations.length === 1 && isNode(table, 'RANGETBLENTRY') && table.fields.rtekind === FROM_TABLE
}

function conditionsOf({ fields }: TreeNode): KeyCondition[] {
  const { jointree } = fields
  if (!isNode(jointree, 'FROMEXPR')) return []
  return conjuncts(jointree.fields.quals ?? null).flatMap((one) => conditionOf(one) ?? [])
}

function conjuncts(condition: TreeValue): readonly TreeValue[] {
  const isAnd = isNode(condition, 'BOOLEXPR') && condition.fields.boolop === 'and'
  return isAnd ? listOf(condition.fields.args).flatMap(conjuncts) : [condition]
}

function conditionOf(value: TreeValue): KeyCondition | null {
  if (!isNode(value, 'OPEXPR')) return null
  const { opfuncid, inputcollid, args } = value.fields
  if (!TEXTUAL_EQUALITY.has(String(opfuncid)) || !EXACT_COLLATIONS.has(String(inputcollid))) return null
  const [left = null, right = null] = listOf(args).map(withoutRelabel)
  return conditionBetween(left, right) ?? conditionBetween(right, left)
}

/** Text and varchar are the same bytes. */
const withoutRelabel = (value: TreeValue): TreeValue =>
  isNode(value, 'RELABELTYPE') && value.fields.resulttype === TEXT ? (value.fields.arg ?? null) : value

function conditionBetween(column: TreeValue, other: TreeValue): KeyCondition | null {
  if (!isNode(column, 'VAR') || column.fields.varno !== '1' || column.fields.varlevelsup !== '0') return null
  const place = Number(column.fields.varattno)
  // A column of the system's has a place below, and the whole row has none.
  if (!(place > 0)) return null
  if (isNode(other, 'PARAM') && other.fields.paramkind === BY_APP)
    return { column: place, value: { parameter: Number(other.fields.paramid) } }
  const text = isNode(other, 'CONST') ? textOfConstant(other) : null
  return text === null ? null : { column: place, value: { text } }
}

function textOfConstant({ fields }: TreeNode): string | null {
  const { consttype, constisnull, constvalue } = fields
  if (constisnull !== 'false' || !Array.isArray(constvalue)) return null
  const bytes = Uint8Array.from(listOf(constvalue[1]).map((byte) => Number(byte) & 0xff))
  if (consttype === TEXT) return new TextDecoder().decode(bytes.subarray(VALUE_HEADER_BYTES))
  const size = BYTES_OF_INTEGER[String(consttype)]
  if (size === undefined || bytes.length < size) return null
  const view = new DataView(bytes.buffer)
  if (size === 2) return String(view.getInt16(0, true))
  return size === 4 ? String(view.getInt32(0, true)) : String(view.getBigInt64(0, true))
}

const listOf = (value: TreeValue | undefined): readonly TreeValue[] => (Array.isArray(value) ? value : [])
