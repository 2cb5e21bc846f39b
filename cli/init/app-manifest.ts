/** The parts of our package.json that go into an app's. */
export interface OwnManifest {
  readonly version: string
  readonly allowScripts: Readonly<Record<string, boolean>>
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
}

/** Builds the package.json of a new app; versions are those Tidemark itself is tested with. */
export function appManifest(name: string, own: OwnManifest): Record<string, unknown> {
  const version = (dependency: string) => own.dependencies[dependency] ?? own.devDependencies[dependency] ?? '*'
  return {
    name,
    private: true,
    type: 'module',
    scripts: {
      dev: 'tidemark dev',
      replica: 'node --env-file=.tidemark/worker.env replica.ts',
      check: 'tsc',
      migrate: 'tidemark migrate',
      doctor: 'tidemark doctor',
      deploy: 'wrangler deploy',
    },
    dependencies: {
      'drizzle-orm': version('drizzle-orm'),
      jose: version('jose'),
      tidemark: `^${own.version}`,
    },
    devDependencies: {
      '@types/node': version('@types/node'),
      // wrangler needs a newer Node than some machines have; scripts find the one in this package first.
      node: version('node'),
      typescript: version('typescript'),
    },
    allowScripts: own.allowScripts,
  }
}
