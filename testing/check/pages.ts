import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'

/** Checks that links between pages lead somewhere, and that README and the site lead to every guide. */
const SITE = 'docs/site/.vitepress/config.ts'
const pages = globSync(['README.md', 'docs/*.md', 'protocol/*.md', 'testing/*.md', 'findings/*.md'])
const LINK = /\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)/g

/** The anchors of a page's headings, as GitHub makes them. */
function anchorsOf(page: string): Set<string> {
  const headings = textOf(page).match(/^#+ .*$/gm) ?? []
  return new Set(
    headings.map((heading) =>
      heading
        .replace(/^#+ /, '')
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  )
}

/** Answers a page without its blocks of code, in which nothing is a link. */
const textOf = (page: string) => readFileSync(page, 'utf8').replace(/^```[\s\S]*?^```$/gm, '')

const faults: string[] = []
for (const page of pages) {
  for (const [link, path = '', anchor] of textOf(page).matchAll(LINK)) {
    const target = path === '' ? page : normalize(join(dirname(page), path))
    if (!existsSync(target)) faults.push(`${page}: ${link} leads nowhere`)
    else if (anchor !== undefined && target.endsWith('.md') && !anchorsOf(target).has(anchor))
      faults.push(`${page}: ${target} has no heading #${anchor}`)
  }
}
const [readme, site] = [readFileSync('README.md', 'utf8'), readFileSync(SITE, 'utf8')]
for (const guide of globSync('docs/*.md')) {
  const name = guide.replace(/^docs\/|\.md$/g, '')
  if (!readme.includes(`(${guide})`)) faults.push(`README.md does not lead to ${guide}`)
  if (!site.includes(`'${name}')`)) faults.push(`${SITE} does not lead to ${guide}`)
}
for (const fault of faults) console.error(fault)
process.exitCode = faults.length === 0 ? 0 : 1
