import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Plugin } from 'esbuild'
import type * as Typeorm from 'typeorm'
import type { NamingStrategyInterface } from 'typeorm'
import { TidemarkError } from '../../protocol/errors.ts'
import { importTypeScript } from '../app/load-module.ts'

/** The exports of an app's `entities.ts`. */
export interface AppEntities {
  readonly typeorm: typeof Typeorm
  readonly classes: readonly (abstract new () => unknown)[]
  /** The names that the app's own data source gives; null for TypeORM's. */
  readonly namingStrategy: NamingStrategyInterface | null
}

const MODULE = 'entities.ts'

/** Loads the entities of an app's folder. Throws `bad-input` for a missing or faulty module, `misconfigured` without TypeORM. */
export async function loadEntities(folder: string): Promise<AppEntities> {
  const root = resolve(folder)
  const path = join(root, MODULE)
  if (!existsSync(path)) {
    throw new TidemarkError(
      'bad-input',
      `There is no ${MODULE} in ${root}. Write one that exports each entity: export { Issue } from './entities/issue.ts'`,
    )
  }
  const typeormModule = findTypeorm(root)
  const typeorm = (await import(pathToFileURL(typeormModule).href)) as typeof Typeorm
  const exported = await importEntities(root, path, typeormModule)
  const { tables } = typeorm.getMetadataArgsStorage()
  const classes = Object.values(exported).filter(
    (value): value is abstract new () => unknown =>
      typeof value === 'function' && tables.some((table) => table.target === value),
  )
  if (classes.length === 0) {
    throw new TidemarkError('bad-input', `${path} exports no entity: give at least one class the decorator @Entity().`)
  }
  return { typeorm, classes, namingStrategy: (exported.namingStrategy as NamingStrategyInterface | undefined) ?? null }
}

/** Finds the app's own TypeORM, because the one that its entities register with has to build them. */
function findTypeorm(root: string): string {
  for (const from of [join(root, MODULE), import.meta.url]) {
    try {
      return join(dirname(createRequire(from).resolve('typeorm')), 'index.mjs')
    } catch {
      // The next place may have it.
    }
  }
  throw new TidemarkError('misconfigured', `${root} has no TypeORM, which reads its entities: npm install typeorm`)
}

async function importEntities(root: string, path: string, typeormModule: string): Promise<Record<string, unknown>> {
  const tsconfig = join(root, 'tsconfig.json')
  const external: Plugin = {
    name: 'typeorm',
    setup: (build) => {
      build.onResolve({ filter: /^typeorm$/ }, () => ({ path: pathToFileURL(typeormModule).href, external: true }))
    },
  }
  try {
    const { exported } = await importTypeScript(path, {
      plugins: [external],
      // Tables are named after classes.
      keepNames: true,
      // TypeORM's decorators are of the older kind, whatever the app's own settings say.
      tsconfig: {
        ...(existsSync(tsconfig) ? { extends: tsconfig } : {}),
        compilerOptions: { experimentalDecorators: true },
      },
    })
    return exported
  } catch (error) {
    throw typelessColumn(error) ?? error
  }
}

/** Says what to do about a column whose type TypeORM would have from metadata that no bundler keeps. */
function typelessColumn(error: unknown): TidemarkError | null {
  const cause = error instanceof Error ? error.cause : null
  if (!(cause instanceof Error) || cause.name !== 'ColumnTypeUndefinedError') return null
  const place = /Column type for (\S+?)#(\S+)/.exec(cause.message)
  const where = place ? `${place[1]}.${place[2]}` : 'A column'
  return new TidemarkError('bad-input', `${where} has no type: write it into the decorator, as in @Column('text').`, {
    cause: error,
  })
}
