import { refuse } from '../../db/index.ts'

/** The server refuses to close a note, after it was closed in the replica. */
export const actions = {
  close: async (run: () => Promise<void>, { args }: { readonly args: { readonly id: string } }) => {
    await run()
    refuse('not-yours', 'Only its owner closes it.', { id: args.id })
  },
}
