import { existsSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { TidemarkError } from '../../protocol/errors.ts'

/** The paths of an app's parts; an optional part that is absent is null. */
export interface AppFolder {
  readonly root: string
  readonly syncModule: string
  readonly migrations: string
  readonly seed: string | null
  readonly wranglerConfig: string | null
}

/** Finds the parts of an app. Throws `bad-input` where the folder or its `sync.ts` is missing. */
export function findApp(folder: string): AppFolder {
  const root = resolve(folder)
  if (!existsSync(root) || !statSync(root).isDirectory()) {
    throw new TidemarkError(
      'bad-input',
      `There is no folder ${root}. Give the folder of your app, or make one: tidemark init`,
    )
  }
  const syncModule = join(root, 'sync.ts')
  if (!existsSync(syncModule)) {
    throw new TidemarkError(
      'bad-input',
      `There is no sync.ts in ${root}. Run this in your app's folder, or make an app: tidemark init <folder>`,
    )
  }
  const firstOf = (...names: string[]) => names.map((name) => join(root, name)).find((path) => existsSync(path)) ?? null
  return {
    root,
    syncModule,
    migrations: join(root, 'migrations'),
    seed: firstOf('seed.ts', 'seed.sql'),
    wranglerConfig: firstOf('wrangler.toml', 'wrangler.jsonc', 'wrangler.json'),
  }
}
