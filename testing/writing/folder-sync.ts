import { z } from 'zod'
import { action, defineSync } from '../../db/index.ts'

/** Actions over folders and notes, which a page can import too. */
export const folderSync = defineSync({
  tables: {},
  actions: {
    addOne: action(z.object({ id: z.string() }), async ({ sql }, { id }) => {
      await sql`UPDATE note SET count = count + 1 WHERE id = ${id}`
    }),
    addFolder: action(z.object({ name: z.string() }), async ({ sql, id }, { name }) => {
      await sql`INSERT INTO folder (id, org, name) VALUES (${id('folder')}, 'a', ${name})`
    }),
  },
})
