import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { TidemarkError } from '../../protocol/errors.ts'
import { packageRoot } from '../package-root.ts'

/** The least version of Node that wrangler runs on. */
const LEAST = [22, 12] as const

/** Finds a Node new enough for wrangler: this one, or the one of package `node`. Throws `misconfigured`. */
export function findNodeForWrangler(appRoot: string): string {
  if (isNewEnough(process.versions.node)) return process.execPath
  for (const folder of [appRoot, packageRoot()]) {
    const found = nodePackage(folder)
    if (found !== null) return found
  }
  throw new TidemarkError(
    'misconfigured',
    `wrangler needs Node ${LEAST.join('.')} or newer, and this is ${process.versions.node}. Install a newer Node, or add one to ` +
      'the app: npm install --save-dev node@24 (npm 11 also wants "allowScripts": { "node": true } in package.json).',
  )
}

export function isNewEnough(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major > LEAST[0] || (major === LEAST[0] && minor >= LEAST[1])
}

function nodePackage(folder: string): string | null {
  try {
    const manifest = createRequire(join(folder, 'package.json')).resolve('node/package.json')
    const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }
    const binary = join(dirname(manifest), 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
    return isNewEnough(version) && existsSync(binary) ? binary : null
  } catch {
    return null
  }
}
