import type { ScriptedServer } from './scripted-server.ts'

/** Holds back every chunk until what it answers is called. */
export function holdChunks(server: ScriptedServer): () => void {
  const held: (() => void)[] = []
  server.intercept = (path, response) => {
    const id = path.split('/')[4]
    if (id === undefined) return false
    held.push(() => response.end(server.chunk(id)))
    return true
  }
  return () => {
    server.intercept = () => false
    for (const release of held) release()
  }
}
