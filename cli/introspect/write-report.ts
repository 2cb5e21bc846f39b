import { showBytes } from '../migrations/table-sizes.ts'
import { describeDecision } from './describe-table.ts'
import type { Plan, PlannedTable } from './plan-tables.ts'
import { type Modules, memberOf } from './write-modules.ts'
import { viaText } from './write-sync.ts'

/** Writes what was found, table by table, with what has to be decided, as Markdown. */
export function writeReport(plan: Plan, modules: Modules, shown: string): string {
  const { database, tables, owners } = plan
  const [synced, open] = [
    tables.filter(({ leftOut }) => leftOut === null),
    tables.filter(({ leftOut }) => leftOut !== null),
  ]
  const parts = [
    `# What \`tidemark init\` found`,
    `In ${shown}, Postgres ${database.server.version}. Rows and bytes are the server's estimates. Nothing was changed there.`,
    ...warnings(plan),
    `## Audiences that were proposed`,
    owners.length === 0
      ? 'No column was found that says whose a row is. Say in `sync.ts` which tables everyone may see, or add such a column.'
      : [
          '| audience | rows belong to | tables that name it |',
          '|---|---|---|',
          ...owners.map(
            ({ prefix, parent, columns, rank }) =>
              `| ${rank === 0 ? 'none proposed' : `\`${prefix}:…\``} | ${parent ?? `what \`${[...columns.values()][0]?.[0]}\` names`} | ${[...columns].map(([table, names]) => `${table} (${names.join(', ')})`).join(', ')} |`,
          ),
        ].join('\n'),
    `## In sync (${synced.length})`,
    ...synced.map((table) => tableText(table, modules)),
    `## Left out until you decide (${open.length})`,
    ...open.map((table) => tableText(table, modules)),
    ...elsewhere(plan),
  ]
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`
}

/** Says what keeps the whole database from being synced. */
function warnings({ database, tables }: Plan): string[] {
  const notOwned = tables.filter(({ existing }) => !existing.owned).map(({ id }) => id)
  return [
    database.server.walLevel === 'logical'
      ? ''
      : `**\`wal_level\` is \`${database.server.walLevel}\`.** Capture needs \`logical\`: on Neon in Settings, Logical Replication; elsewhere \`ALTER SYSTEM SET wal_level = logical\` and a restart.`,
    notOwned.length === 0
      ? ''
      : `**Not this role's:** ${notOwned.join(', ')}. \`tidemark migrate\` sets \`REPLICA IDENTITY FULL\` and grants columns, for which it has to own a synced table.`,
  ]
}

function elsewhere({ database: { records, views } }: Plan): string[] {
  const lines = [
    ...(records.length === 0 ? [] : [`- Records of migration tools, passed over: ${records.join(', ')}.`]),
    ...(views.length === 0
      ? []
      : [`- Views and foreign tables do not travel: ${views.join(', ')}. A view may be made in the replica.`]),
  ]
  return lines.length === 0 ? [] : ['## Passed over', lines.join('\n')]
}

function tableText(planned: PlannedTable, modules: Modules): string {
  const { id, existing } = planned
  const { rows, bytes } = existing
  const size = `${rows === null ? 'rows not yet counted (ANALYZE counts them)' : `about ${rows} rows`}, ${showBytes(bytes)}`
  const facts = factsOf(planned, modules).map((fact) => `- ${fact}`)
  return [`### ${id}`, [`${size}.`, ...describeDecision(planned)].join('  \n'), facts.join('\n')].join('\n\n')
}

const named = (names: readonly string[]) => names.map((name) => `\`${name}\``).join(', ')
const SOFT_DELETE = /^(deleted|removed|archived)(_?at|_?on)?$|^is_?(deleted|removed|archived)$/i

function factsOf(planned: PlannedTable, modules: Modules): string[] {
  const { id, existing, columns, proposal } = planned
  const via = viaText(planned, modules)
  const { catalogue, identities, partitions, rowSecurity, policies } = existing
  const counted = catalogue.columns.filter((column) => column.counted).map(({ name }) => name)
  const generated = catalogue.columns.filter((column) => column.generated !== null).map(({ name }) => name)
  const soft = catalogue.columns.map(({ name }) => name).filter((name) => SOFT_DELETE.test(name))
  const numbers = counted.map((name) => `\`${name}\` (${Object.hasOwn(identities, name) ? 'identity' : 'serial'})`)
  const isKeyCounted = catalogue.primaryKey.some((name) => counted.includes(name))
  const uniques = [
    ...catalogue.uniques.map((unique) => named(unique.columns)),
    ...catalogue.indexes.filter(({ unique }) => unique).map(({ name, columns: of }) => `${named(of)} (index ${name})`),
  ]
  return [
    `key: ${catalogue.primaryKey.length === 0 ? '**none**' : named(catalogue.primaryKey)}`,
    ...(proposal.kind === 'via' && via !== null
      ? [
          `proposed: \`audience: ${via}\`. The parent has to be synced too; \`migrate\` adds a column \`tidemark_audience\`, an index, a foreign key and triggers, and fills it in batches`,
        ]
      : []),
    ...columns.left.map(({ name, why }) => `\`${name}\` stays on the server: ${why}`),
    ...(numbers.length === 0
      ? []
      : [
          `numbered by the server: ${numbers.join(', ')}${isKeyCounted ? '. Replicas lease keys of its sequence, so that they may write the table (docs/model-your-data.md)' : ''}`,
        ]),
    ...(generated.length === 0 ? [] : [`generated: ${named(generated)}`]),
    ...(soft.length === 0
      ? []
      : [
          `rows are marked as deleted by ${named(soft)}; marked ones travel too, unless ${when(id, soft[0] ?? '', planned, modules)} leaves them out`,
        ]),
    ...(uniques.length === 0 ? [] : [`unique: ${uniques.join('; ')}`]),
    ...(catalogue.kind === 'p'
      ? [
          `partitioned, ${partitions} partitions: synced by its root, by pgoutput alone; see "What a synced table needs" in docs/model-your-data.md`,
        ]
      : []),
    ...(rowSecurity || policies.length > 0
      ? [
          `row-level security is ${rowSecurity ? 'on' : 'off'}, policies: ${policies.length === 0 ? 'none' : policies.map(({ name, command, roles }) => `${name} (${command}, to ${roles.join(', ')})`).join('; ')}`,
        ]
      : []),
  ]
}

/** Writes the condition under which a row is not marked as deleted. */
function when(id: string, column: string, { existing }: PlannedTable, modules: Modules): string {
  const isFlag = existing.catalogue.columns.find(({ name }) => name === column)?.type === 'boolean'
  const member = memberOf(`db.${modules.constants.get(id)}`, modules.keyOf(id, column))
  return `\`\`when: sql\`\${${member}} IS ${isFlag ? 'NOT TRUE' : 'NULL'}\` \`\``
}
