import { defineConfig } from 'vite'

/** PGlite's own code calls `eval`; nobody who builds this page can change that. */
const rolldownOptions = { checks: { eval: false } }

export default defineConfig({
  // PGlite loads its WebAssembly beside its own module; pre-bundling would move it away.
  optimizeDeps: { exclude: ['@electric-sql/pglite', 'tidemark'] },
  worker: { format: 'es', rolldownOptions },
  build: { target: 'es2023', rolldownOptions },
})
