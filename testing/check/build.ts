import { execFileSync } from 'node:child_process'
import { chmodSync, rmSync, writeFileSync } from 'node:fs'
import { databaseImage } from './database-image.ts'
import { opsPageModule } from './ops-page.ts'

/** Each part is compiled under its own runtime's types; one that several include is written last by the narrowest. */
const RUNTIMES = ['cli', 'entity', 'client', 'workers', 'portable']
const EMIT = [
  '--noEmit',
  'false',
  '--declaration',
  '--sourceMap',
  '--inlineSources',
  '--rootDir',
  '.',
  '--outDir',
  'dist',
]

/** Compiles the package into `dist/` anew, so that a file that is gone from the sources is gone from the package. */
rmSync('dist', { recursive: true, force: true })
writeFileSync('workers/ops/page-files.ts', await opsPageModule())
for (const runtime of RUNTIMES) {
  execFileSync('tsc', ['-p', `tsconfig/${runtime}.json`, '--pretty', 'false', ...EMIT], { stdio: 'inherit' })
}
chmodSync('dist/cli/main.js', 0o755)
// The image lies beside the module that reads it, in the package and for those who run the sources.
const image = await databaseImage()
for (const root of ['dist', '.']) writeFileSync(`${root}/client/store/database-image.bin`, image)
