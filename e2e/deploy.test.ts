import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('../', import.meta.url))

test('CLI-R14 wrangler deploy builds the example whole from the root: page, Worker, three Durable Objects', () => {
  const outdir = mkdtempSync(join(tmpdir(), 'tidemark-deploy-'))
  try {
    const output = execFileSync(join('node_modules', '.bin', 'wrangler'), ['deploy', '--dry-run', '--outdir', outdir], {
      cwd: ROOT,
      encoding: 'utf8',
      env: { ...process.env, WRANGLER_SEND_METRICS: 'false', WRANGLER_LOG_PATH: outdir },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    for (const name of ['REPLICATION (ReplicationDO)', 'SYNC (SyncDO)', 'SNAPSHOT (SnapshotDO)'])
      expect(output).toContain(name)
    // Settings of development alone are not deployed.
    expect(output).not.toMatch(/DATABASE_PROXY|DEMO_LOGIN/)
    expect(readdirSync(outdir)).toContain('worker.js')
    expect(readdirSync(join(ROOT, 'examples', 'tracker', 'dist'))).toContain('index.html')
  } finally {
    rmSync(outdir, { recursive: true, force: true })
  }
})
