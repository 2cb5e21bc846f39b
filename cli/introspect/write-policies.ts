import { KEPT_AUDIENCE, quoteIdentifier, quoteLiteral, quoteTable } from '../../protocol/index.ts'
import type { Plan, PlannedTable } from './plan-tables.ts'

const HEAD = `-- Row-level security for the tables of sync.ts, as a proposal: nothing has run it. Written by \`tidemark init\`.
--
-- Replicas read as the role tidemark_client. Tidemark's own filter does not depend on these policies; they are a second lock, and
-- the only one once a table says \`write\`. Run it after the first \`tidemark migrate\`, which makes the role:
--
--   psql "$DATABASE_URL" -v ON_ERROR_STOP=1 -f tidemark-policies.sql
--
-- ENABLE ROW LEVEL SECURITY takes all rows from every role that neither owns the table, nor is a superuser, nor has BYPASSRLS, nor
-- a policy of its own. Roles that have rights on a table today get the policy that keeps them as they are.
--
-- It may be run again: what it made is made anew. Tables that belong to someone by another row get theirs once they are in sync.ts and
-- \`tidemark migrate\` has given them the column it goes by; until then they are left as they are, with a notice.

BEGIN;
`

/** Writes the policies that the proposed audiences want, for someone to read and run. */
export function writePolicies({ tables }: Plan): string {
  const wanted = tables.filter(({ leftOut }) => leftOut === null || leftOut === 'over a reference')
  const nothing = '-- No table has an audience yet.\n'
  const texts = wanted.map((table) => policiesOf(table, tables)).filter((text) => text !== '')
  return `${HEAD}\n${texts.length === 0 ? nothing : texts.join('\n')}\nCOMMIT;\n`
}

function policiesOf(planned: PlannedTable, tables: readonly PlannedTable[]): string {
  const { id, existing, proposal } = planned
  if (proposal.kind === 'column') {
    const whose = `-- ${id}: whoever has ${proposal.prefix}:<${proposal.column}>`
    return `${[whose, ...existingPolicies(planned), ...statementsOf(planned, proposal.column, typeOf(planned, proposal.column))].join('\n')}\n`
  }
  // A partitioned table needs a column of its own first.
  if (proposal.kind === 'open' || existing.catalogue.kind === 'p') return ''
  const { parent = '' } = proposal.steps[0] ?? {}
  const end = tables.find((table) => table.id === proposal.steps.at(-1)?.parent)
  const type = end?.proposal.kind === 'column' ? typeOf(end, end.proposal.column) : 'text'
  const table = quoteLiteral(quoteTable(existing.catalogue))
  return [
    `-- ${id}: whoever its row of ${parent} belongs to`,
    ...existingPolicies(planned),
    'DO $policies$ BEGIN',
    `  IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = ${table}::regclass AND attname = ${quoteLiteral(KEPT_AUDIENCE)} AND NOT attisdropped) THEN`,
    ...statementsOf(planned, KEPT_AUDIENCE, type).map((line) => `    ${line}`),
    `  ELSE RAISE NOTICE '% is not in sync yet: run this again once it is.', ${quoteLiteral(id)};`,
    '  END IF;',
    'END $policies$;\n',
  ].join('\n')
}

const existingPolicies = ({ existing }: PlannedTable) =>
  existing.policies.map((one) => `-- has the policy ${one.name} (${one.command}, to ${one.roles.join(', ')}) already`)

const typeOf = ({ existing }: PlannedTable, column: string) =>
  existing.catalogue.columns.find(({ name }) => name === column)?.type ?? 'text'

function statementsOf({ existing, proposal }: PlannedTable, column: string, type: string): string[] {
  const { catalogue, rowSecurity, grantees } = existing
  const table = quoteTable(catalogue)
  const prefix = proposal.kind === 'open' ? '' : proposal.prefix
  const name = (ending: string) => quoteIdentifier(`${catalogue.name.slice(0, 40)}_${ending}`)
  const array = `${type.replace(/\([\d, -]+\)/, '')}[]`
  const drop = (ending: string) => `DROP POLICY IF EXISTS ${name(ending)} ON ${table};`
  return [
    ...(rowSecurity ? [] : [`ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY;`]),
    drop('tidemark'),
    `CREATE POLICY ${name('tidemark')} ON ${table} FOR SELECT TO tidemark_client`,
    `  USING (${quoteIdentifier(column)} = ANY ((SELECT tidemark.audience_values(${quoteLiteral(prefix)}))::${array}));`,
    ...(rowSecurity
      ? []
      : grantees.flatMap((role) => [
          drop(`for_${role}`),
          `CREATE POLICY ${name(`for_${role}`)} ON ${table} TO ${quoteIdentifier(role)} USING (true) WITH CHECK (true);`,
        ])),
  ]
}
