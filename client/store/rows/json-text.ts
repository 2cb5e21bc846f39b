import * as z from 'zod/mini'

/** Makes a schema of a column that holds JSON as text. */
export const jsonText = <Schema extends z.ZodMiniType>(schema: Schema) =>
  z.pipe(
    z.string(),
    z.transform((text: string): z.output<Schema> => schema.parse(JSON.parse(text)) as z.output<Schema>),
  )
