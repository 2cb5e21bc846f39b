import { z } from 'zod'
import { action, defineSync } from '../../../dist/db/index.js'

/** The migration that this build of the page names, which makes it older or newer than another. */
const migration = new URLSearchParams(self.location.search || self.name).get('migration')

export const sync = defineSync({
  tables: {},
  ...(migration === null ? {} : { migration }),
  actions: {
    addOne: action(z.object({ id: z.string() }), async ({ sql }, { id }) => {
      await sql`UPDATE note SET count = count + 1 WHERE id = ${id}`
    }),
  },
})
