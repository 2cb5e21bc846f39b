import { TidemarkError } from '../../protocol/index.ts'
import type { Executor } from './copies.ts'

/** Runs statements that make synced tables. Throws `bad-input` where the app has something by the name of one. */
export async function makeTables(tx: Executor, statements: readonly string[]): Promise<void> {
  try {
    await tx.exec(statements.join('\n'))
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause)
    if (!message.includes('already exists')) throw cause
    throw new TidemarkError(
      'bad-input',
      `A table or type that the app made locally has the name of a synced one (${message}): rename it, then reload.`,
      { cause },
    )
  }
}
