import { quoteIdentifier, quoteLiteral, quoteTable } from '../../protocol/index.ts'
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

BEGIN;
`

/** Writes the policies that the proposed audiences want, for someone to read and run. */
export function writePolicies({ tables }: Plan): string {
  const synced = tables.filter(({ leftOut }) => leftOut === null)
  const nothing = '-- No table has an audience yet.\n'
  return `${HEAD}\n${synced.length === 0 ? nothing : synced.map(policiesOf).join('\n')}\nCOMMIT;\n`
}

function policiesOf({ id, existing, proposal }: PlannedTable): string {
  if (proposal.kind !== 'column') return ''
  const { catalogue, rowSecurity, policies, grantees } = existing
  const table = quoteTable(catalogue)
  const name = (ending: string) => quoteIdentifier(`${catalogue.name.slice(0, 40)}_${ending}`)
  const type = catalogue.columns.find((column) => column.name === proposal.column)?.type ?? 'text'
  const array = `${type.replace(/\([\d, -]+\)/, '')}[]`
  const lines = [
    `-- ${id}: whoever has ${proposal.prefix}:<${proposal.column}>`,
    ...policies.map((one) => `-- has the policy ${one.name} (${one.command}, to ${one.roles.join(', ')}) already`),
    ...(rowSecurity ? [] : [`ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY;`]),
    `CREATE POLICY ${name('tidemark')} ON ${table} FOR SELECT TO tidemark_client`,
    `  USING (${quoteIdentifier(proposal.column)} = ANY ((SELECT tidemark.audience_values(${quoteLiteral(proposal.prefix)}))::${array}));`,
    ...(rowSecurity
      ? []
      : grantees.map(
          (role) =>
            `CREATE POLICY ${name(`for_${role}`)} ON ${table} TO ${quoteIdentifier(role)} USING (true) WITH CHECK (true);`,
        )),
  ]
  return `${lines.join('\n')}\n`
}
