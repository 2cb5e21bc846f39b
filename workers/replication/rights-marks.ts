import type { RoutedBatch } from './rules/subscription.ts'

/** Beyond this many users everyone's rights count as changed. */
const MAX_USERS = 10_000

/**
 * Counts the captured changes of rights, so that a caller knows whether an earlier answer about rights still holds.
 *
 * The count is in memory alone: the marks of a new object equal none of an earlier one.
 */
export class RightsMarks {
  readonly #own = crypto.randomUUID()
  readonly #users = new Map<string, number>()
  #count = 0
  #everyone = 0
  #epoch: string | null = null
  #version: number | null = null

  note({ epoch, definition, rights, everyone, transactions }: RoutedBatch): void {
    // Captured changes that were never told may concern anyone; so may a new history, or other tables to be watched.
    const isUntold = everyone && transactions === null && rights === null
    if (isUntold || epoch !== this.#epoch || definition.version !== this.#version || rights === 'all') this.#all()
    this.#epoch = epoch
    this.#version = definition.version
    if (rights === null || rights === 'all') return
    this.#count += 1
    for (const user of rights) this.#users.set(user, this.#count)
    if (this.#users.size > MAX_USERS) this.#all()
  }

  /** Answers a mark that is another one after each change of this user's rights. */
  markOf(userId: string): string {
    return `${this.#own}:${Math.max(this.#everyone, this.#users.get(userId) ?? 0)}`
  }

  #all(): void {
    this.#count += 1
    this.#everyone = this.#count
    this.#users.clear()
  }
}
