import { z } from 'zod'

/** Makes a schema of a column that holds JSON as text. */
export const jsonText = <Schema extends z.ZodType>(schema: Schema) =>
  z.string().transform((text) => schema.parse(JSON.parse(text)) as z.output<Schema>)
