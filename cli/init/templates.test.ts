import { execFileSync } from 'node:child_process'
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import { readGuide } from '../../testing/cli/read-guide.ts'
import { runCommand } from '../../testing/cli/run-command.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const COPIES = join(ROOT, '.tidemark')

mkdirSync(COPIES, { recursive: true })
// Inside the package, so that an app finds what that depends on without an installation.
const folder = mkdtempSync(join(COPIES, 'templates-'))
afterAll(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))

test.each(['react', 'vanilla'])(
  'CLI-R10 the template %s has types, is built by Vite, and has fewer than 120 lines',
  async (template) => {
    const app = join(folder, template)
    const made = await runCommand(['init', app, '--template', template])
    expect(made).toMatchObject({ code: 0, stderr: '' })
    const code = globSync(['sync.ts', 'worker.ts', 'page/*.{ts,tsx}'], { cwd: app })
    const lines = code.flatMap((name) => readFileSync(join(app, name), 'utf8').trimEnd().split('\n'))
    expect(lines.length).toBeLessThan(120)
    mkdirSync(join(app, 'node_modules'))
    symlinkSync(ROOT, join(app, 'node_modules', 'tidemark'))
    execFileSync('tsc', ['-p', app], { cwd: app, stdio: 'pipe' })
    execFileSync('vite', ['build', '--logLevel', 'error'], { cwd: app, stdio: 'pipe' })
    expect(globSync('dist/assets/*.wasm', { cwd: app }).length).toBeGreaterThan(0)
    const { dependencies, devDependencies, scripts } = JSON.parse(readFileSync(join(app, 'package.json'), 'utf8'))
    expect('react' in dependencies).toBe(template === 'react')
    expect(devDependencies.vite).toMatch(/^\d/)
    expect(scripts).not.toHaveProperty('replica')
  },
)

test('CLI-R10 CLI-R51 the files that the guide of a page shows are those of the template', async () => {
  const app = join(folder, 'shown')
  await runCommand(['init', app, '--template', 'react'])
  const shown = readGuide('in-a-page.md').flatMap(({ title, text }) => (title === null ? [] : [{ title, text }]))
  expect(shown.map(({ title }) => title)).toEqual(['vite.config.ts', 'page/replica.worker.ts', 'page/tasks.tsx'])
  for (const { title, text } of shown) expect(text.trim()).toBe(readFileSync(join(app, title), 'utf8').trim())
})

test('CLI-R10 a template that is none is refused, and nothing is written', async () => {
  const refused = await runCommand(['init', join(folder, 'none'), '--template', 'angular'])
  expect(refused.code).toBe(1)
  expect(refused.stderr).toContain('There is no template angular: give one of node, react, vanilla.')
  expect(globSync('none', { cwd: folder })).toEqual([])
})
