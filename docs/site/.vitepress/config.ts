import { cpSync, globSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import llmstxt from 'vitepress-plugin-llms'
import { withMermaid } from 'vitepress-plugin-mermaid'

/** The pages are those that contributors read in the repository; the generator wants them beside its own packages. */
const site = join(import.meta.dirname, '..')
const repository = join(site, '..', '..')
rmSync(join(site, 'pages'), { recursive: true, force: true })
for (const path of globSync(['README.md', 'docs/*.md', 'docs/pictures/*', 'protocol/SPEC.md', 'testing/scenarios.md'], {
  cwd: repository,
}))
  cpSync(join(repository, path), join(site, 'pages', path))

const page = (text: string, name: string) => ({ text, link: `/docs/${name}` })

/** Each guide stands in the group of whoever asks for it; the check compares this list with the folder. */
const sidebar = [
  {
    text: 'Begin',
    items: [
      { text: 'Tidemark', link: '/' },
      page('Getting started', 'getting-started'),
      page('An existing database', 'existing-database'),
      page('Your login', 'login'),
      page('From Electric', 'from-electric'),
      page('From Zero', 'from-zero'),
    ],
  },
  {
    text: 'The server',
    items: [
      page('Model your data', 'model-your-data'),
      page('Access', 'access'),
      page('Writing', 'write-actions'),
      page('History of rows', 'history'),
      page('Migrations', 'migrations'),
      page('Deploy', 'deploy'),
    ],
  },
  {
    text: 'The page',
    items: [
      page('In a page', 'in-a-page'),
      page('React', 'react'),
      page('Live queries', 'live-queries'),
      page('Write locally', 'write-locally'),
      page('Tabs', 'tabs'),
      page('Storage', 'storage'),
      page('Hydration', 'hydration'),
    ],
  },
  {
    text: 'Run it',
    items: [
      page('Operate', 'operate'),
      page('Security', 'security'),
      page('Debug', 'debug'),
      page('Performance', 'performance'),
    ],
  },
  {
    text: 'Exactly',
    items: [
      { text: 'Specification', link: '/protocol/SPEC' },
      { text: 'Scenarios', link: '/testing/scenarios' },
      page('Limits', 'limits'),
      page('Architecture', 'architecture'),
    ],
  },
]

export default withMermaid({
  title: 'Tidemark',
  description: 'A full, live, writable Postgres replica of the rows its user may see, in every browser.',
  srcDir: 'pages',
  rewrites: { 'README.md': 'index.md' },
  outDir: 'dist',
  cacheDir: 'node_modules/.cache/vitepress',
  cleanUrls: true,
  ignoreDeadLinks: 'localhostLinks',
  themeConfig: { sidebar, search: { provider: 'local' }, outline: [2, 3] },
  vite: { plugins: [llmstxt()] },
})
