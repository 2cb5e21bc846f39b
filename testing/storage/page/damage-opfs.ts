interface Node {
  readonly backingFilename?: string
  readonly children?: Readonly<Record<string, Node>>
}

/** Finds the first database of the origin's file system whose name begins so. */
async function databaseFolder(prefix: string): Promise<FileSystemDirectoryHandle> {
  const root = await navigator.storage.getDirectory()
  for await (const [name, handle] of root.entries())
    if (handle.kind === 'directory' && name.startsWith(prefix)) return handle as FileSystemDirectoryHandle
  throw new Error(`There is no database ${prefix}.`)
}

/** Finds the file in which PGlite keeps one of Postgres' files. */
async function backingFile(prefix: string, path: string): Promise<FileSystemFileHandle> {
  const folder = await databaseFolder(prefix)
  const text = await (await (await folder.getFileHandle('state.txt')).getFile()).text()
  const [tree = '', ...changes] = text.split('\n').filter(Boolean)
  let node: Node | undefined = (JSON.parse(tree) as { readonly root: Node }).root
  for (const part of path.split('/').filter(Boolean)) node = node?.children?.[part]
  for (const line of changes) {
    const { opp, args } = JSON.parse(line) as { readonly opp: string; readonly args: readonly [string, Node] }
    if (opp === 'createFileNode' && args[0] === path) node = args[1]
  }
  if (node?.backingFilename === undefined) throw new Error(`There is no file ${path}.`)
  return (await folder.getDirectoryHandle('data')).getFileHandle(node.backingFilename)
}

/** Puts these bytes in the place of one of Postgres' files, and answers what was there. */
export async function garbleFile(prefix: string, path: string, bytes: readonly number[]): Promise<number[]> {
  const file = await backingFile(prefix, path)
  const before = [...new Uint8Array(await (await file.getFile()).arrayBuffer())]
  const writing = await file.createWritable()
  await writing.write(new Uint8Array(bytes))
  await writing.close()
  return before
}

/** Appends a change to PGlite's list of files that is cut, or puts one in its middle that is none. */
export async function tearList(prefix: string, where: 'end' | 'middle'): Promise<void> {
  const file = await (await databaseFolder(prefix)).getFileHandle('state.txt')
  const text = await (await file.getFile()).text()
  const [tree = '', ...changes] = text.split('\n')
  const torn = '{"opp":"createFileNode","args":["/base/5/1'
  const writing = await file.createWritable()
  await writing.write(
    where === 'end' ? `${text}\n${torn}` : [tree, torn, ...changes, '{"opp":"chmod","args":["/base",0]}'].join('\n'),
  )
  await writing.close()
}

/** Answers the size of each file of the origin's file system. */
export async function readOpfs(): Promise<Record<string, number>> {
  const sizes: Record<string, number> = {}
  async function read(folder: FileSystemDirectoryHandle, path: string): Promise<void> {
    for await (const [name, handle] of folder.entries()) {
      if (handle.kind === 'directory') await read(handle as FileSystemDirectoryHandle, `${path}${name}/`)
      else sizes[path + name] = (await (handle as FileSystemFileHandle).getFile()).size
    }
  }
  await read(await navigator.storage.getDirectory(), '')
  return sizes
}
