import { execFileSync } from 'node:child_process'
import { chmodSync, rmSync } from 'node:fs'

/** Compiles the package into `dist/` anew, so that a file that is gone from the sources is gone from the package. */
rmSync('dist', { recursive: true, force: true })
execFileSync('tsc', ['-p', 'tsconfig/build.json', '--pretty', 'false'], { stdio: 'inherit' })
chmodSync('dist/cli/main.js', 0o755)
