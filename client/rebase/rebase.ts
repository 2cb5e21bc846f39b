/*
 * Rebase lets the server's changes and work that is not sent yet live on the same rows.
 *
 * Pending work lies on the server's rows. When a change touches a row that pending work wrote, that work is undone,
 * with all that builds on it; the server's change is applied to rows as the server knows them; then the work is done
 * again on top, patches by their rows and actions by running them. Work that throws now fails; once it was attempted it
 * stays pending without effect here, because the server decides it all the same. A mutation that is the server's
 * transaction itself is confirmed and not done again.
 *
 *     touched? ──no──► apply
 *        └──yes──► undo it and what builds on it ──► apply, confirm, fail ──► redo in order ──► is the order still one? ─┐
 *                                       ▲                                                          no: all of it once ◄──┘
 *
 * All of it happens in one local transaction, with triggers at rest, so that nobody sees a state in between, and a
 * fault leaves everything as it was. It ends, because each mutation is undone once and redone once, and a second time
 * only where the order demands all.
 */
import type { Lsn, PatchRow, Rejection } from '../../protocol/index.ts'
import { dependencies, dependentsOf, type Effects } from '../mutations/rules/dependents.ts'
import { effectsOfPatch, effectsOfWrites } from '../mutations/rules/effects.ts'
import { mutationsToUndo } from '../mutations/rules/mutations-to-undo.ts'
import { undoWrites } from '../mutations/rules/undo-writes.ts'
import { flagCascades, sealNewPatches } from '../mutations/seal-patches.ts'
import { stageStatements } from '../store/change-statements.ts'
import type { Copy, Executor } from '../store/copies.ts'
import {
  closeToSquashing,
  flipEffective,
  readPatches,
  readUnsettled,
  type Unsettled,
} from '../store/rows/mutation-rows.ts'
import { confirmMutations, failMutations } from '../store/rows/outcome-rows.ts'
import {
  areWritesInOrder,
  deleteAllWrites,
  deleteWrites,
  readTouchedRows,
  readWritesOf,
  type StoredWrite,
} from '../store/rows/write-rows.ts'
import { foreignKeysOf } from '../store/rules/foreign-keys.ts'
import { NOTIFY_OUTBOX } from '../store/rules/outbox-notice.ts'
import { runStatement } from '../store/run-statement.ts'
import { type RebaseScope, scopeOf } from './rebase-scope.ts'
import { redoMutations } from './redo-mutations.ts'
import { dependency, judgeMisses, type Miss } from './rules/judge-misses.ts'

/**
 * The unsettled mutations of a replica, within one transaction that runs as the server's: undone, ended, redone.
 *
 * Everything it did is gone where the transaction fails.
 */
export class Rebase {
  readonly #tx: Executor
  #scope: RebaseScope
  readonly #pending: Map<number, Unsettled>
  /** The effects of actions before they were undone, so that mutations that build on one are found afterwards too. */
  readonly #actionEffects = new Map<number, Effects>()

  private constructor(tx: Executor, scope: RebaseScope, pending: readonly Unsettled[]) {
    this.#tx = tx
    this.#scope = scope
    this.#pending = new Map(pending.map((one) => [one.counter, one]))
  }

  static async open(tx: Executor, scope: RebaseScope): Promise<Rebase> {
    const found = await readUnsettled(tx)
    if (found.every(({ isWhole }) => isWhole)) return new Rebase(tx, scope, found)
    await sealNewPatches(tx, scope.tables)
    return new Rebase(tx, scope, await readUnsettled(tx))
  }

  get counters(): Set<number> {
    return new Set(this.#pending.keys())
  }

  findPending(counter: number): Unsettled | null {
    return this.#pending.get(counter) ?? null
  }

  hasActionsBeside(counters: ReadonlySet<number>): boolean {
    return [...this.#pending.values()].some(({ kind, counter }) => kind === 'action' && !counters.has(counter))
  }

  /** The mutations without effect here, because doing them again threw. */
  get ineffective(): number[] {
    return [...this.#pending.values()].filter(({ effective }) => !effective).map(({ counter }) => counter)
  }

  /** Answers the mutations to undo for changes of some rows, and for the sake of some mutations. Rule RBS-R2. */
  async findToUndo(touches: (row: string) => boolean, from: ReadonlySet<number>): Promise<Set<number>> {
    return mutationsToUndo(await readTouchedRows(this.#tx, this.#pending.keys()), touches, from)
  }

  /** Makes everything that is redone from here on go by this copy. */
  moveToCopy(copy: Pick<Copy, 'tables' | 'joins'>): void {
    this.#scope = scopeOf(copy, this.#scope.actions)
  }

  /** Puts the rows of these mutations back to what they were before; later sharers must be among them. */
  async undoMutations(counters: ReadonlySet<number>): Promise<void> {
    if (counters.size === 0) return
    const writes = await readWritesOf(this.#tx, counters)
    this.#rememberActions(counters, writes)
    for (const [id, nets] of undoWrites(writes, this.#scope.tables)) {
      const table = this.#scope.tables.get(id)
      if (!table || nets.size === 0) continue
      for (const statement of stageStatements(table, { truncate: null, nets }))
        await runStatement(this.#tx, table, statement)
    }
    await deleteWrites(this.#tx, counters)
  }

  /** Forgets what pending work wrote, because the rows have been replaced by others. */
  async forgetWrites(): Promise<void> {
    const actions = [...this.#pending.values()].filter(({ kind }) => kind === 'action').map(({ counter }) => counter)
    if (actions.length > 0) this.#rememberActions(actions, await readWritesOf(this.#tx, actions))
    await deleteAllWrites(this.#tx)
  }

  #rememberActions(counters: Iterable<number>, writes: readonly StoredWrite[]): void {
    for (const counter of counters) {
      if (this.#pending.get(counter)?.kind === 'action')
        this.#actionEffects.set(counter, effectsOfWrites(counter, writes))
    }
  }

  /** Confirms mutations whose commits are here by now. */
  async confirmMutations(confirmed: readonly { readonly counter: number; readonly lsn: Lsn }[]): Promise<void> {
    await confirmMutations(this.#tx, confirmed)
    for (const { counter } of confirmed) this.#pending.delete(counter)
  }

  /** Fails mutations that are undone already. */
  async failMutations(failed: ReadonlyMap<number, Rejection>): Promise<void> {
    await failMutations(this.#tx, failed)
    for (const counter of failed.keys()) this.#pending.delete(counter)
  }

  /** Answers these failures, with those of the mutations that build on them. */
  async withDependents(failed: ReadonlyMap<number, Rejection>): Promise<Map<number, Rejection>> {
    const all = new Map(failed)
    if (failed.size === 0) return all
    const on = dependencies(await this.#effects(this.#pending.keys()), this.#foreignKeys())
    for (const [counter, first] of dependentsOf(new Set(failed.keys()), on)) all.set(counter, dependency(first))
    return all
  }

  /**
   * Does again those of these mutations that are still unsettled, in their order, on the rows as they are now.
   *
   * A mutation that throws fails with those that build on it, unless a push with it may have reached the server: then
   * it waits without effect for its outcome, and so do those that build on it. Rule RBS-R5.
   */
  async redoMutations(counters: ReadonlySet<number>): Promise<void> {
    const list = [...this.#pending.values()].filter(({ counter }) => counters.has(counter))
    if (list.length === 0) return
    // They are done on other rows than they were made on, so no later patch may count as the same edit.
    await closeToSquashing(
      this.#tx,
      list.map(({ counter }) => counter),
    )
    const patches = await readPatches(this.#tx, counters)
    const on = dependencies(await this.#effects(counters, patches), this.#foreignKeys())
    const misses = await redoMutations(this.#tx, this.#scope, { list, patches, on })
    await flagCascades(this.#tx, this.#scope.tables, [...counters])
    await this.#endMisses(list, misses)
  }

  async #endMisses(list: readonly Unsettled[], misses: ReadonlyMap<number, Miss>): Promise<void> {
    const { failed, waiting } = judgeMisses(list, misses)
    const changed = list.filter(({ counter, effective }) => effective === waiting.has(counter) && !failed.has(counter))
    if (changed.length > 0) {
      await flipEffective(
        this.#tx,
        changed.map(({ counter }) => counter),
      )
      for (const one of changed) this.#pending.set(one.counter, { ...one, effective: !one.effective })
      await this.#tx.exec(NOTIFY_OUTBOX)
    }
    if (failed.size === 0) return
    const all = await this.withDependents(failed)
    const undone = await this.findToUndo(() => false, new Set(all.keys()))
    await this.undoMutations(undone)
    await this.failMutations(all)
    await this.redoMutations(undone)
  }

  async redoAll(): Promise<void> {
    const all = this.counters
    await this.undoMutations(all)
    await this.redoMutations(all)
  }

  /** Answers whether each row's writes stand in the order of their mutations. */
  areWritesInOrder(): Promise<boolean> {
    return areWritesInOrder(this.#tx)
  }

  async #effects(
    counters: Iterable<number>,
    known: ReadonlyMap<number, readonly PatchRow[]> | null = null,
  ): Promise<Effects[]> {
    const wanted = [...counters].filter((counter) => this.#pending.has(counter)).sort((a, b) => a - b)
    const patches = known ?? (await readPatches(this.#tx, wanted))
    const unread = wanted.filter((counter) => !patches.has(counter) && !this.#actionEffects.has(counter))
    const writes = unread.length === 0 ? [] : await readWritesOf(this.#tx, unread)
    return wanted.map((counter) => {
      const patch = patches.get(counter)
      if (patch) return effectsOfPatch(counter, patch, this.#scope.tables)
      return this.#actionEffects.get(counter) ?? effectsOfWrites(counter, writes)
    })
  }

  #foreignKeys() {
    return foreignKeysOf({
      types: [],
      tables: [...this.#scope.tables.values()].map(({ definition }) => definition),
    })
  }
}
