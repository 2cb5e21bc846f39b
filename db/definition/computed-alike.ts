import * as z from 'zod/mini'

/** The parts of an expression, from its stored tree: none of them is read from printed text. */
export const expressionSchema = z.object({
  /** Kinds of nodes, such as FUNCEXPR. */
  nodes: z.array(z.string()),
  /** Functions called, including those behind operators, by signature under the search path pg_catalog. */
  calls: z.array(
    z.object({ function: z.string(), collation: z.enum(['none', 'C', 'deterministic', 'nondeterministic']) }),
  ),
  /** Types of all nodes that name one. */
  types: z.array(z.string()),
  /** Collations that the expression itself names. */
  collations: z.array(z.string()),
})

export type Expression = z.infer<typeof expressionSchema>

// Postgres 15 changed the names of nodes; both stand here.
// biome-ignore format: one list
const NODES = new Set([
  'VAR', 'CONST', 'FUNCEXPR', 'OPEXPR', 'DISTINCTEXPR', 'NULLIFEXPR', 'SCALARARRAYOPEXPR', 'BOOLEXPR', 'CASE', 'CASEEXPR', 'WHEN', 'CASEWHEN',
  'CASETESTEXPR', 'COALESCE', 'COALESCEEXPR', 'NULLTEST', 'BOOLEANTEST', 'RELABELTYPE', 'COLLATE', 'COLLATEEXPR', 'ARRAY', 'ARRAYEXPR',
  'SUBSCRIPTINGREF', 'COERCETODOMAIN', 'COERCETODOMAINVALUE', 'COERCEVIAIO', 'MINMAX', 'MINMAXEXPR', 'ARRAYCOERCEEXPR',
])
/** Nodes that compare by a collation and name no function. */
const COMPARING_NODES = new Set(['MINMAX', 'MINMAXEXPR'])
/** Types whose text is the same under every setting. */
// biome-ignore format: one list
const PLAIN_TEXT_TYPES = new Set([
  'boolean', 'smallint', 'integer', 'bigint', 'numeric', 'text', 'character varying', 'character', 'uuid', 'json', 'jsonb',
])

/** Every immutable built-in function of whole numbers, truth values, bytes and uuids alone is exact. */
const EXACT = '(?:boolean|smallint|integer|bigint|uuid|bytea)'
const EXACT_FUNCTION = new RegExp(`^[a-z_0-9]+\\((?:${EXACT}(?:,${EXACT})*)?\\)$`)
/** Exceptions to this: functions that give another type, or read more than their arguments. */
const NOT_EXACT = /^(?:convert|pg_|hash|tidvalid|current|row_|uuid_extract|uuidv7|gen_)/
const COMPARED =
  /^(?:numeric|date|timestamp|timestamptz|time|timetz|interval|float4|float8|float48|float84|enum|jsonb|bit|varbit|network|macaddr|inet)_?(?:eq|ne|lt|le|gt|ge|cmp|larger|smaller)\(/
const DATE_AND_TIMESTAMP = /^(?:date|timestamp)_(?:eq|ne|lt|le|gt|ge)_(?:timestamp|date)\(/
const RANGE = /^(?:int4|int8|num|date|ts|tstz)range\(/
const ARITHMETIC = /^(?:numeric_(?:add|sub|mul|div|mod|uminus|abs)|float[48](?:pl|mi|mul|div|um|abs))\(/

/** Further exact functions, whatever the collation. */
// biome-ignore format: one list
const SAME = new Set([
  'textcat(text,text)', 'length(text)', 'char_length(text)', 'character_length(text)', 'octet_length(text)', 'bit_length(text)', 'textlen(text)',
  'substr(text,integer)', 'substr(text,integer,integer)', 'substring(text,integer)', 'substring(text,integer,integer)', 
  'left(text,integer)', 'right(text,integer)', 'lpad(text,integer)', 'lpad(text,integer,text)', 'rpad(text,integer)', 'rpad(text,integer,text)',
  'btrim(text)', 'btrim(text,text)', 'ltrim(text)', 'ltrim(text,text)', 'rtrim(text)', 'rtrim(text,text)', 'repeat(text,integer)', 'reverse(text)',
  'md5(text)', 'md5(bytea)', 'encode(bytea,text)', 'decode(text,text)', 'to_hex(integer)', 'to_hex(bigint)', 'translate(text,text,text)', 'text(character)', 'text(boolean)',
  'bpchar(character,integer,boolean)', 'varchar(character varying,integer,boolean)',
  'numeric(numeric,integer)', 'numeric(integer)', 'numeric(bigint)', 'numeric(smallint)', 'int2(numeric)', 'int4(numeric)', 'int8(numeric)',
  'abs(numeric)', 'round(numeric)', 'round(numeric,integer)', 'trunc(numeric)', 'trunc(numeric,integer)', 'ceil(numeric)', 'ceiling(numeric)',
  'floor(numeric)', 'sign(numeric)', 'mod(numeric,numeric)', 'numeric(jsonb)', 'int2(jsonb)', 'int4(jsonb)', 'int8(jsonb)', 'bool(jsonb)',
  'float8(integer)', 'float8(bigint)', 'float8(smallint)', 'float4(integer)', 'float8(real)', 'int4(double precision)', 'int8(double precision)',
  'abs(double precision)', 'abs(real)', 'round(double precision)', 'floor(double precision)', 'ceil(double precision)', 'trunc(double precision)',
  'jsonb_object_field(jsonb,text)', 'jsonb_object_field_text(jsonb,text)', 'jsonb_array_element(jsonb,integer)', 'jsonb_array_element_text(jsonb,integer)',
  'jsonb_extract_path(jsonb,text[])', 'jsonb_extract_path_text(jsonb,text[])', 'jsonb_exists(jsonb,text)', 'jsonb_exists_any(jsonb,text[])',
  'jsonb_exists_all(jsonb,text[])', 'jsonb_contains(jsonb,jsonb)', 'jsonb_contained(jsonb,jsonb)', 'jsonb_typeof(jsonb)', 'jsonb_array_length(jsonb)',
  'jsonb_concat(jsonb,jsonb)', 'jsonb_delete(jsonb,text)', 'jsonb_delete(jsonb,integer)', 'json_object_field(json,text)', 'json_object_field_text(json,text)',
  'json_array_element(json,integer)', 'json_array_element_text(json,integer)', 'json_extract_path(json,text[])', 'json_extract_path_text(json,text[])',
  'json_typeof(json)', 'json_array_length(json)', 'date_pli(date,integer)', 'date_mii(date,integer)', 'date_mi(date,date)',
  'date(timestamp without time zone)', 'timestamp(date)', 'timestamp_pl_interval(timestamp without time zone,interval)',
  'timestamp_mi_interval(timestamp without time zone,interval)', 'timestamp_mi(timestamp without time zone,timestamp without time zone)',
  'date_pl_interval(date,interval)', 'date_mi_interval(date,interval)', 'interval_pl(interval,interval)', 'interval_mi(interval,interval)',
  'date_trunc(text,timestamp without time zone)', 'date_part(text,timestamp without time zone)', 'date_part(text,date)',
  'extract(text,timestamp without time zone)', 'extract(text,date)', 'make_date(integer,integer,integer)', 'isfinite(date)',
  'array_length(anyarray,integer)', 'cardinality(anyarray)', 'array_ndims(anyarray)', 'array_upper(anyarray,integer)', 'array_lower(anyarray,integer)',
  'array_append(anycompatiblearray,anycompatible)', 'lower(anyrange)', 'upper(anyrange)',
  'array_cat(anycompatiblearray,anycompatiblearray)', 'array_prepend(anycompatible,anycompatiblearray)', 'num_nulls(any)', 'num_nonnulls(any)',
])
/** Functions that are alike wherever equal texts have equal bytes. */
// biome-ignore format: one list
const DETERMINISTIC = new Set([
  'texteq(text,text)', 'textne(text,text)', 'bpchareq(character,character)', 'bpcharne(character,character)', 'textlike(text,text)', 'like(text,text)',
  'textnlike(text,text)', 'bpcharlike(character,text)', 'bpcharnlike(character,text)', 'like_escape(text,text)', 'strpos(text,text)',
  'position(text,text)', 'replace(text,text,text)', 'split_part(text,text,integer)', 'starts_with(text,text)',
  'array_eq(anyarray,anyarray)', 'array_ne(anyarray,anyarray)', 'arraycontains(anyarray,anyarray)', 'arraycontained(anyarray,anyarray)',
  'arrayoverlap(anyarray,anyarray)',
])
/**
 * Functions that are alike under the collations C and POSIX only: a replica knows no others, and takes their names for
 * C.
 */
// biome-ignore format: one list
const BY_BYTES = new Set([
  'text_lt(text,text)', 'text_le(text,text)', 'text_gt(text,text)', 'text_ge(text,text)', 'text_larger(text,text)', 'text_smaller(text,text)',
  'bpcharlt(character,character)', 'bpcharle(character,character)', 'bpchargt(character,character)', 'bpcharge(character,character)',
  'lower(text)', 'upper(text)', 'initcap(text)', 'texticlike(text,text)', 'texticnlike(text,text)',
])
/** Further functions whose result depends on a locale or on its settings. */
const OF_THE_LOCALE =
  /^(?:text|bpchar|name)?(?:ic)?regex|^regexp_|^similar|^(?:bpchar|name)ic(?:n?like)|^to_(?:ts|char|number)|^casefold\(|^array_(?:lt|le|gt|ge)\(/

/**
 * Lists what in the expression of a generated column a replica may lack or may compute otherwise, under another locale,
 * version or setting; empty where its result cannot differ. `types` are those of the app that replicas have; those that
 * are `plain` have the same text under every setting.
 */
export function strangersIn(
  expression: Expression,
  types: ReadonlySet<string>,
  plain: ReadonlySet<string> = new Set(),
): string[] {
  const { nodes, calls } = expression
  const strangers = [
    ...calls.filter((call) => !isCalledAlike(call)).map((call) => call.function),
    ...expression.collations.filter((name) => name !== 'C' && name !== 'POSIX').map((name) => `collation ${name}`),
    ...expression.types
      .filter((type) => type.includes('.') && !types.has(type.replace('[]', '')))
      .map((type) => `type ${type}`),
  ]
  if (nodes.some((node) => COMPARING_NODES.has(node)) && !expression.types.every(isOrderedAlike))
    strangers.push('an order of texts')
  const isPlain = (type: string) => PLAIN_TEXT_TYPES.has(type) || plain.has(type)
  if (nodes.includes('COERCEVIAIO') && !expression.types.every(isPlain)) strangers.push('a cast by text')
  return [...new Set([...strangers, ...nodes.filter((node) => !NODES.has(node)).map((node) => `${node} of its kind`)])]
}

/** Tells whether a default's result is the same under every locale; its other dependencies are judged elsewhere. */
export function isLocaleFree({ calls, nodes, types }: Expression): boolean {
  if (nodes.some((node) => COMPARING_NODES.has(node)) && !types.every(isOrderedAlike)) return false
  return calls.every((call) => {
    if (OF_THE_LOCALE.test(call.function)) return false
    return isDecidedByCollation(call.function) ? isCalledAlike(call) : true
  })
}

const isDecidedByCollation = (signature: string) => DETERMINISTIC.has(signature) || BY_BYTES.has(signature)

/** False for types whose order goes by a collation, as in GREATEST and LEAST of texts. */
const isOrderedAlike = (type: string) =>
  /^(boolean|smallint|integer|bigint|numeric|uuid|date|timestamp without time zone)$/.test(type)

function isCalledAlike({ function: signature, collation }: Expression['calls'][number]): boolean {
  if (DETERMINISTIC.has(signature)) return collation !== 'nondeterministic'
  if (BY_BYTES.has(signature)) return collation === 'C'
  if (SAME.has(signature) || RANGE.test(signature) || COMPARED.test(signature)) return true
  if (DATE_AND_TIMESTAMP.test(signature) || ARITHMETIC.test(signature)) return true
  return EXACT_FUNCTION.test(signature) && !NOT_EXACT.test(signature)
}
