/** The parts of our package.json that go into an app's. */
export interface OwnManifest {
  readonly version: string
  readonly allowScripts: Readonly<Record<string, boolean>>
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
}

/** What an app begins as: a replica in Node, or a page. */
export type Template = 'node' | 'react' | 'vanilla'

/** The packages that a template needs besides those of all. */
const PACKAGES: Readonly<Record<Template, { readonly dependencies: string[]; readonly devDependencies: string[] }>> = {
  node: { dependencies: [], devDependencies: [] },
  react: { dependencies: ['react', 'react-dom'], devDependencies: ['@types/react', '@types/react-dom', 'vite'] },
  vanilla: { dependencies: [], devDependencies: ['vite'] },
}

/** Builds the package.json of a new app; versions are those Tidemark itself is tested with. */
export function appManifest(name: string, own: OwnManifest, template: Template): Record<string, unknown> {
  const version = (dependency: string) => own.dependencies[dependency] ?? own.devDependencies[dependency] ?? '*'
  const versions = (names: readonly string[]) => Object.fromEntries(names.map((one) => [one, version(one)]))
  const { dependencies, devDependencies } = PACKAGES[template]
  return {
    name,
    private: true,
    type: 'module',
    scripts: {
      dev: 'tidemark dev',
      ...(template === 'node' ? { replica: 'node --env-file=.tidemark/worker.env replica.ts' } : {}),
      check: 'tsc',
      migrate: 'tidemark migrate',
      doctor: 'tidemark doctor',
      deploy: 'wrangler deploy',
    },
    dependencies: {
      'drizzle-orm': version('drizzle-orm'),
      jose: version('jose'),
      ...versions(dependencies),
      tidemark: `^${own.version}`,
    },
    devDependencies: {
      '@types/node': version('@types/node'),
      // wrangler needs a newer Node than some machines have; scripts find the one in this package first.
      node: version('node'),
      typescript: version('typescript'),
      ...versions(devDependencies),
    },
    allowScripts: own.allowScripts,
  }
}
