import { type FSWatcher, readdirSync, watch } from 'node:fs'
import { extname, join } from 'node:path'

/** The file types of an app's modules, migrations and configuration. */
const WRITTEN_IN = new Set(
  ['ts', 'tsx', 'mts', 'cts', 'js', 'jsx', 'mjs', 'cjs', 'json', 'jsonc', 'sql', 'toml'].map((ending) => `.${ending}`),
)
/**
 * Saves this close together count as one: an editor writes a file in several steps, and some save several files at
 * once.
 */
const SETTLE_MS = 100

/**
 * Calls `onSave` for each save below an app's folder until it is closed.
 *
 * Files that nobody writes by hand are left out: packages, folders that begin with a dot, and `ignored`. Folders are
 * watched one by one, because a recursive watch would take in the packages.
 */
export function watchApp(root: string, ignored: string, onSave: () => void): { close(): void } {
  const watchers = new Map<string, FSWatcher>()
  let settling: NodeJS.Timeout | null = null
  const heard = (name: string | null) => {
    // A folder has no ending, and one that is made or renamed may hold files already.
    const ending = name === null ? '' : extname(name)
    if (ending !== '' && !WRITTEN_IN.has(ending)) return
    if (settling !== null) clearTimeout(settling)
    settling = setTimeout(() => {
      watchFolders()
      onSave()
    }, SETTLE_MS)
  }
  const watchFolder = (folder: string) => {
    const watcher = watch(folder, (_, name) => heard(name))
    const forget = () => {
      watcher.close()
      if (watchers.get(folder) === watcher) watchers.delete(folder)
    }
    watcher.on('error', forget)
    watchers.set(folder, watcher)
  }
  const watchFolders = () => {
    const found = new Set(foldersBelow(root, ignored))
    for (const [folder, watcher] of watchers) {
      if (found.has(folder)) continue
      watcher.close()
      watchers.delete(folder)
    }
    for (const folder of found) {
      if (watchers.has(folder)) continue
      try {
        watchFolder(folder)
      } catch {
        // The folder is gone again, or may not be read.
      }
    }
  }
  watchFolders()
  return {
    close() {
      if (settling !== null) clearTimeout(settling)
      for (const watcher of watchers.values()) watcher.close()
      watchers.clear()
    },
  }
}

function foldersBelow(folder: string, ignored: string): string[] {
  try {
    const inside = readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.') && entry.name !== 'node_modules')
      .map((entry) => join(folder, entry.name))
    return [folder, ...inside.filter((path) => path !== ignored).flatMap((path) => foldersBelow(path, ignored))]
  } catch {
    return []
  }
}
