import type { FoundTest } from './test-titles.ts'

/** One test file: its path and its tests. */
export interface TestFile {
  readonly path: string
  readonly tests: readonly FoundTest[]
}

export interface Catalogue {
  /** Scenario ids, each with true where it must have a test now. */
  readonly scenarios: ReadonlyMap<string, boolean>
  readonly rules: ReadonlySet<string>
}

const SCENARIO = /\b(?:CAP|HIS|DIS|SNP|APP|OUT|CON|REB|MIG|TAB|FLT|SEC|OPS|ORA|FLD)-\d{2,3}\b/g
const RULE = /\b[A-Z]{3,4}-R\d+\b/g
const SCENARIO_ROW = /^\|([A-Z]{3}-\d{2,3})\|.*\|([^|]+)\|$/gm
const RULE_LINE = /^- \*\*([A-Z]{3,4}-R\d+)\*\*/gm
/** Tests of a whole environment name the rule or scenario that they prove; a pure unit's own name is enough. */
const NEEDS_ID = /(\.(postgres|pglite|workerd)\.test\.tsx?|^e2e\/.*\.test\.ts)$/

export function parseCatalogue(scenarios: string, specification: string): Catalogue {
  return {
    scenarios: new Map(
      [...scenarios.matchAll(SCENARIO_ROW)].map(([, id = '', when]) => [id, !when?.startsWith('later: ')]),
    ),
    rules: new Set([...specification.matchAll(RULE_LINE)].map(([, id = '']) => id)),
  }
}

/** A test with one of these does not count, because it must always run, and with all others. */
const NOT_RUN = ['skip', 'skipIf', 'runIf', 'only', 'todo', 'fails']

/** Reports promises of the catalogue that no test proves, and ids in tests that the catalogue does not know. */
export function catalogueFaults(catalogue: Catalogue, files: readonly TestFile[]): string[] {
  const faults: string[] = []
  const quoted = new Set<string>()
  for (const { path, tests } of files) {
    const titles = tests.map(({ title }) => title)
    for (const { title, modifiers } of tests) {
      const excuse = modifiers.find((modifier) => NOT_RUN.includes(modifier))
      if (excuse !== undefined) faults.push(`${path}: "${title}" does not count, because of .${excuse}`)
      const ids = [...title.matchAll(SCENARIO), ...title.matchAll(RULE)].map(([id]) => id)
      for (const id of ids) {
        quoted.add(id)
        if (!catalogue.scenarios.has(id) && !catalogue.rules.has(id))
          faults.push(`${path}: "${title}" quotes ${id}, which no page defines`)
      }
      if (ids.length === 0 && NEEDS_ID.test(path)) faults.push(`${path}: "${title}" names no scenario and no rule`)
    }
    for (const title of new Set(titles.filter((entry, index) => titles.indexOf(entry) !== index))) {
      faults.push(`${path}: "${title}" is the title of two tests`)
    }
  }
  for (const [id, now] of catalogue.scenarios) if (now && !quoted.has(id)) faults.push(`scenario ${id} has no test`)
  for (const id of catalogue.rules) if (!quoted.has(id)) faults.push(`rule ${id} has no test`)
  return faults
}
