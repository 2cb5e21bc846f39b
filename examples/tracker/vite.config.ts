import { fileURLToPath } from 'node:url'
import { serwist } from '@serwist/vite'
import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

/** PGlite's own code calls `eval`; nobody who builds this page can change that. */
const rolldownOptions = { checks: { eval: false } }
/** PGlite's WebAssembly is the largest file of the page. */
const LARGEST_BYTES = 32 * 1024 * 1024

export default defineConfig({
  plugins: [
    react(),
    serwist({
      swSrc: 'page/service-worker.ts',
      swDest: 'service-worker.js',
      globDirectory: fileURLToPath(new URL('dist', import.meta.url)),
      globPatterns: ['**/*.{html,js,css,wasm,data,bin,webmanifest,svg}'],
      maximumFileSizeToCacheInBytes: LARGEST_BYTES,
    }),
  ],
  // PGlite loads its WebAssembly beside its own module; pre-bundling would move it away.
  optimizeDeps: { exclude: ['@electric-sql/pglite'] },
  worker: { format: 'es', rolldownOptions },
  build: { target: 'es2023', rolldownOptions },
})
