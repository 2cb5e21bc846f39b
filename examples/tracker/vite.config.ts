import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

export default defineConfig({
  root: new URL('./page', import.meta.url).pathname,
  plugins: [react()],
  // PGlite loads its WebAssembly beside its own module; pre-bundling would move it away.
  optimizeDeps: { exclude: ['@electric-sql/pglite'] },
  worker: { format: 'es' },
  build: { outDir: '../dist', emptyOutDir: true, target: 'es2023' },
})
