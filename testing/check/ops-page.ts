import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const at = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))

async function bundle(entry: string, loader: 'js' | 'css'): Promise<string> {
  const result = await build({
    entryPoints: [at(entry)],
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    loader: { '.css': 'css' },
    // The licence of what is bundled goes along.
    legalComments: 'inline',
    logLevel: 'warning',
  })
  const [output] = result.outputFiles
  if (!output) throw new Error(`${loader} of the operators' page did not build.`)
  return output.text
}

/** Makes the module by which the Worker has the files of the operators' page: text, because a Worker reads no files. */
export async function opsPageModule(): Promise<string> {
  const files = {
    html: readFileSync(at('workers/ops/page/index.html'), 'utf8'),
    script: await bundle('workers/ops/page/main.ts', 'js'),
    style: await bundle('workers/ops/page/style.css', 'css'),
  }
  const lines = Object.entries(files).map(([name, text]) => `  ${name}: ${JSON.stringify(text)},`)
  return `/** Made by \`npm run build\` from \`page/\`. */\nexport const PAGE_FILES = {\n${lines.join('\n')}\n}\n`
}
