import { nodeProcess } from './node-builtins.ts'
import { deploymentName } from './rules/place-names.ts'

/** Answers whether this is Node or Bun, where PGlite runs in the process and storage is a path. */
export function isServerRuntime(): boolean {
  const { process } = globalThis as { process?: { versions?: Record<string, string | undefined> } }
  return process?.versions?.node !== undefined && !('window' in globalThis)
}

/** Recognises Safari, which gives a page too few file handles for Postgres' files. */
function isSafari(): boolean {
  const agent = navigator.userAgent
  return /safari/i.test(agent) && !/chrome|chromium|android|crios|fxios/i.test(agent)
}

/** The storages to try when the app names none, best first; in Node and Bun a folder for each deployment. */
export function defaultStorages(url: string): readonly string[] {
  if (isServerRuntime()) return [`${nodeProcess().cwd()}/.tidemark/replicas/${deploymentName(url)}`]
  const opfs = typeof navigator.storage?.getDirectory === 'function' && !isSafari()
  return opfs ? ['opfs-ahp://tidemark', 'idb://tidemark'] : ['idb://tidemark']
}

/** Answers whether this is not a production build; bundlers and servers set the same variable. */
export function isDevelopment(): boolean {
  const { process } = globalThis as { process?: { env?: Record<string, string | undefined> } }
  return process?.env?.NODE_ENV !== 'production'
}
