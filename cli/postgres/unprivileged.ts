import { existsSync, readFileSync } from 'node:fs'

/** A command line, and the user to own its files where the current one may not run it. */
export interface Unprivileged {
  readonly owner: { readonly uid: number; readonly gid: number } | null
  command(program: string, args: readonly string[]): { readonly file: string; readonly args: string[] }
}

const NOBODY = { uid: 65_534, gid: 65_534 }
const SETPRIV = ['/usr/bin/setpriv', '/bin/setpriv']

/**
 * Finds a way to run Postgres, which refuses root: as `postgres`, or else as `nobody`.
 *
 * The right to pass closed folders is kept, because a checkout below a private folder must work as well.
 */
export function unprivileged(): Unprivileged {
  const setpriv = SETPRIV.find((path) => existsSync(path))
  if (process.getuid?.() !== 0 || setpriv === undefined) {
    return { owner: null, command: (file, args) => ({ file, args: [...args] }) }
  }
  const owner = postgresUser() ?? NOBODY
  const user = [`--reuid=${owner.uid}`, `--regid=${owner.gid}`, '--clear-groups']
  // If the process that started the server is killed, the server shuts down instead of holding port and data directory
  // for good.
  const lifetime = ['--pdeathsig=INT']
  // Without the fixup bit access(2), by which initdb looks for its programs, would ignore the right.
  const rights = ['--inh-caps=+dac_override', '--ambient-caps=+dac_override', '--securebits=+no_setuid_fixup']
  return { owner, command: (file, args) => ({ file: setpriv, args: [...user, ...rights, ...lifetime, file, ...args] }) }
}

function postgresUser(): { uid: number; gid: number } | null {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith('postgres:'))
  const [, , uid, gid] = line?.split(':') ?? []
  return uid === undefined || gid === undefined ? null : { uid: Number(uid), gid: Number(gid) }
}
