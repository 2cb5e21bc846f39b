import { FIRST_SCHEMA, syncOf } from '../app-schema.ts'

/** The first version of the app's schema; the Worker keeps it while the database goes on, as a bundle does. */
export const sync = syncOf(FIRST_SCHEMA)
