export interface ReadyFacts {
  readonly url: string
  /** False for an app that serves no page at `/`. */
  readonly hasPage: boolean
  readonly adminTokenFile: string
  /** The command that opens the database. */
  readonly sqlCommand: string
  /** The whole URL; null where it is not ours to show. */
  readonly databaseUrl: string | null
  readonly database: string
  readonly workerEnv: string
  /** Lines of the app, e.g. its demo logins. */
  readonly demo: readonly string[]
}

/** Formats the one block that a developer reads when everything is up. */
export function readyBlock(facts: ReadyFacts): string {
  const rows: [string, string][] = [
    ...(facts.hasPage ? [['Page', `${facts.url}/`] as [string, string]] : []),
    ['Operate', `${facts.url}/ops, with the token of ${facts.adminTokenFile}`],
    ['Health', `curl ${facts.url}/health`],
    ['', `curl -H "Authorization: Bearer $(cat ${facts.adminTokenFile})" ${facts.url}/health/replication`],
    ['Database', facts.sqlCommand],
    ['', facts.databaseUrl ?? facts.database],
    ['Settings', facts.workerEnv],
  ]
  for (const [index, line] of facts.demo.entries()) rows.push([index === 0 ? 'Demo' : '', line])
  rows.push(['Stop', 'Ctrl-C; what is here stays for the next start'])
  return ['', 'Tidemark is ready.', '', ...rows.map(([left, right]) => `  ${left.padEnd(10)}${right}`), ''].join('\n')
}
