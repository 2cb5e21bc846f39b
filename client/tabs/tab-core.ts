import type { ActivityPage, HistoryPage, Lsn, MutationId, PastRow } from '../../protocol/index.ts'
import type { ReplicaInspection } from '../inspection.ts'
import type { FailureDecision, FailureRecord, MutationRecord } from '../mutations/mutation.ts'
import type { ActivityOptions, PageOptions, PastPlan, RowKey } from '../outbox/past.ts'
import type { RestoreOptions } from '../outbox/rules/plan-restore.ts'
import type { UnsentExport } from '../outbox/unsent-work.ts'
import type { Envelope } from '../replica/load-envelope.ts'
import type { CheckReport } from '../replica/self-check.ts'
import { type ReplicaStatus, StatusStore } from '../replica/status.ts'
import type { ReplicaCore, ReplicaState } from '../replica-core.ts'
import type { CallOrder } from '../store/call-order.ts'
import type { CallOrigin } from '../store/call-origin.ts'
import type { TabLink } from './tab-link.ts'
import type { TabCalls, TabMethod } from './tab-messages.ts'

/** The core of a replica whose engine runs in the leader's worker. */
export class TabCore implements ReplicaCore, ReplicaState {
  failures: readonly FailureRecord[] = []
  hasLeft = false
  readonly #link: TabLink
  /** That of the tab's database: a statement may have to ask something before it is sent. */
  readonly #order: CallOrder
  readonly #store = new StatusStore(null)
  readonly #close: () => Promise<void>
  #persisted: boolean | null = null
  /** What the leader said last; while there is none, its phase is not what is shown. */
  #told: ReplicaStatus = this.#store.current

  constructor(link: TabLink, order: CallOrder, close: () => Promise<void>) {
    this.#link = link
    this.#order = order
    this.#close = close
  }

  get status(): ReplicaStatus {
    return this.#store.current
  }

  subscribe(listener: (status: ReplicaStatus) => void): () => void {
    return this.#store.subscribe(listener)
  }

  /** Shows what the leader says. */
  showStatus(status: ReplicaStatus, failures: readonly FailureRecord[] | null): void {
    this.#told = status
    if (failures) this.failures = failures
    this.#store.set({ ...status, persisted: this.#persisted })
  }

  /** Notes whether the browser keeps the storage when it runs out of room, which pages alone may ask for. */
  notePersistence(persisted: boolean | null): void {
    this.#persisted = persisted
    this.#store.set({ persisted })
  }

  /** Shows that nobody answers just now; rows and figures stay. */
  showSwitching(isSwitching: boolean): void {
    this.#store.set(isSwitching ? { phase: 'switching' } : { phase: this.#told.phase })
  }

  showClosed(): void {
    this.#store.set({ phase: 'closed', ready: false })
  }

  /** Shows that the user has signed out, in whichever tab. */
  showLeft(): void {
    this.hasLeft = true
    this.failures = []
    this.#store.set({ pending: 0, failed: 0 })
  }

  async waitReady(): Promise<void> {
    await this.#call('waitReady', [])
  }

  runAction(name: string, args: unknown, by: CallOrigin | null): Promise<MutationId> {
    return this.#call('runAction', [name, args], by?.call)
  }

  async waitConfirmed(id: MutationId): Promise<void> {
    await this.#call('waitConfirmed', [id])
  }

  decideFailure(id: MutationId, decision: FailureDecision, by: CallOrigin | null): Promise<MutationId | null> {
    return this.#call('decideFailure', [id, decision], by?.call)
  }

  async readMutations(limit: number): Promise<MutationRecord[]> {
    return (await this.#call('readMutations', [limit])) as MutationRecord[]
  }

  async readMutation(id: string): Promise<MutationRecord | null> {
    return (await this.#call('readMutation', [id])) as MutationRecord | null
  }

  undo(by: CallOrigin | null): Promise<MutationId | null> {
    return this.#call('undo', [], by?.call)
  }

  redo(by: CallOrigin | null): Promise<MutationId | null> {
    return this.#call('redo', [], by?.call)
  }

  readHistory(table: string, key: RowKey, options: PageOptions): Promise<HistoryPage> {
    return this.#call('readHistory', [table, key, options])
  }

  readActivity(options: ActivityOptions): Promise<ActivityPage> {
    return this.#call('readActivity', [options])
  }

  readRowAt(table: string, key: RowKey, at: string): Promise<PastRow> {
    return this.#call('readRowAt', [table, key, at])
  }

  planRestore(table: string, key: RowKey, at: string, options: RestoreOptions): Promise<PastPlan> {
    return this.#call('planRestore', [table, key, at, options])
  }

  planRollback(id: string): Promise<PastPlan> {
    return this.#call('planRollback', [id])
  }

  carryOut(plan: PastPlan, by: CallOrigin | null): Promise<MutationId | null> {
    return this.#call('carryOut', [plan], by?.call)
  }

  async settled(): Promise<void> {
    await this.#call('settled', [])
  }

  async reached(lsn: Lsn | string): Promise<void> {
    await this.#call('reached', [lsn])
  }

  inspect(): Promise<ReplicaInspection> {
    return this.#call('inspect', [])
  }

  async goOffline(): Promise<void> {
    await this.#call('goOffline', [])
  }

  async goOnline(envelope: Partial<Envelope> | undefined): Promise<void> {
    await this.#call('goOnline', [envelope ?? null])
  }

  close(): Promise<void> {
    return this.#close()
  }

  async retryMigrations(): Promise<void> {
    await this.#call('retryMigrations', [])
  }

  async reset(): Promise<void> {
    await this.#call('reset', [])
  }

  check(): Promise<CheckReport> {
    return this.#call('check', [])
  }

  exportUnsent(limit: number): Promise<UnsentExport> {
    return this.#call('exportUnsent', [limit])
  }

  async signOut(dropUnsent: boolean): Promise<void> {
    await this.#call('signOut', [dropUnsent])
    this.showLeft()
    await this.#close()
  }

  #call<Method extends TabMethod>(
    method: Method,
    args: Parameters<TabCalls[Method]>,
    name?: string,
  ): Promise<ReturnType<TabCalls[Method]>> {
    return this.#order.begin(null, () => this.#link.call(method, args, name))
  }
}
