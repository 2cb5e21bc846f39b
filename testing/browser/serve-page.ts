import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build, type Plugin, preview } from 'vite'

export interface ServedPage {
  readonly url: string
  /** Answers 404 for the files whose path matches, as a deploy that removed them does; null for none. */
  lose(files: RegExp | null): void
  close(): Promise<void>
}

/** Builds a page as an app would and serves it; its requests to `/sync` go to `server`, others are answered by path. */
export async function servePage(
  root: string,
  server?: string,
  answers: Readonly<Record<string, string>> = {},
): Promise<ServedPage> {
  const outDir = mkdtempSync(join(tmpdir(), 'tidemark-page-'))
  const rolldownOptions = { checks: { eval: false } }
  const shared = { root, configFile: false, logLevel: 'error' } as const
  await build({
    ...shared,
    worker: { format: 'es', rolldownOptions },
    build: { outDir, emptyOutDir: true, target: 'es2023', rolldownOptions },
  })
  let lost: RegExp | null = null
  const losing: Plugin = {
    name: 'lose-files-and-answer',
    configurePreviewServer({ middlewares }) {
      middlewares.use((request, response, next) => {
        const answer = answers[request.url ?? '']
        if (answer !== undefined) return response.end(answer)
        if (!lost?.test(request.url ?? '')) return next()
        response.statusCode = 404
        response.end()
      })
    },
  }
  const proxy = server === undefined ? {} : { '/sync': { target: server, ws: true } }
  const served = await preview({
    ...shared,
    plugins: [losing],
    build: { outDir },
    preview: { port: 0, host: '127.0.0.1', proxy },
  })
  return {
    url: served.resolvedUrls?.local[0] ?? '',
    lose(files) {
      lost = files
    },
    async close() {
      await served.close()
      rmSync(outDir, { recursive: true, force: true })
    },
  }
}
