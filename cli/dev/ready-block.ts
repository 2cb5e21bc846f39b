export interface ReadyFacts {
  readonly url: string
  readonly adminTokenFile: string
  /** The argument of `psql`; null where the URL is not ours to show. */
  readonly psqlUrl: string | null
  readonly database: string
  readonly workerEnv: string
  /** Lines of the app, e.g. its demo logins. */
  readonly demo: readonly string[]
}

/** Formats the one block that a developer reads when everything is up. */
export function readyBlock(facts: ReadyFacts): string {
  const rows: [string, string][] = [
    ['Page', `${facts.url}/`],
    ['Health', `curl ${facts.url}/health`],
    ['', `curl -H "Authorization: Bearer $(cat ${facts.adminTokenFile})" ${facts.url}/health/replication`],
    ['', `curl -H "Authorization: Bearer $(cat ${facts.adminTokenFile})" '${facts.url}/health/sync?object=<name>'`],
    ['Database', facts.psqlUrl === null ? facts.database : `psql ${facts.psqlUrl}`],
    ['Settings', facts.workerEnv],
  ]
  for (const [index, line] of facts.demo.entries()) rows.push([index === 0 ? 'Demo' : '', line])
  rows.push(['Stop', 'Ctrl-C; what is here stays for the next start'])
  return ['', 'Tidemark is ready.', '', ...rows.map(([left, right]) => `  ${left.padEnd(10)}${right}`), ''].join('\n')
}
