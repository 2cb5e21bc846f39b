import type { RoutedBatch } from './rules/subscription.ts'

/** Beyond this many users everyone's rights count as changed. */
const MAX_USERS = 10_000

/**
 * Counts the changes of rights that were captured, so that who asked for rights before knows whether the answer still holds.
 *
 * In memory alone: the marks of a new object equal none of an earlier one.
 */
export class RightsMarks {
  readonly #own = crypto.randomUUID()
  readonly #users = new Map<string, number>()
  #count = 0
  #everyone = 0
  #epoch: string | null = null
  #version: number | null = null

  note({ epoch, definition, rights, everyone, transactions }: RoutedBatch): void {
    // What was captured and never told may have changed any; so may a history that begins anew, or other tables to be watched.
    const isUntold = everyone && transactions === null && rights === null
    if (isUntold || epoch !== this.#epoch || definition.version !== this.#version || rights === 'all') this.#all()
    this.#epoch = epoch
    this.#version = definition.version
    if (rights === null || rights === 'all') return
    this.#count += 1
    for (const user of rights) this.#users.set(user, this.#count)
    if (this.#users.size > MAX_USERS) this.#all()
  }

  /** Another one after each change of this user's rights. */
  markOf(userId: string): string {
    return `${this.#own}:${Math.max(this.#everyone, this.#users.get(userId) ?? 0)}`
  }

  #all(): void {
    this.#count += 1
    this.#everyone = this.#count
    this.#users.clear()
  }
}
