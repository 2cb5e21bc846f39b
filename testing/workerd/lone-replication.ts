import type { Delivery, DeliveryReceipt } from '../../workers/contracts.ts'
import type { SyncEnv } from '../../workers/env.ts'
import type { ReplicationOptions } from '../../workers/replication/options.ts'
import { createReplicationObject } from '../../workers/replication/replication-object.ts'
import { until } from '../system/until.ts'
import { withTestDatabase } from './test-database.ts'

/** Read when an object is made, so that a test can give each database a slot of its own. */
export const loneOptions: { -readonly [Name in keyof ReplicationOptions]: ReplicationOptions[Name] } = {}

/** Settings beside the database's, read when an object is made. */
export const loneEnv: { HEALTH_WEBHOOK_URL?: string; HEALTH_WEBHOOK_SECRET?: string } = {}

/** A SyncDO that only listens. */
export class Listener {
  readonly deliveries: Delivery[] = []
  /** Answers a delivery; tests set it so that deliveries wait, fail, or get another answer. */
  answer: (delivery: Delivery) => Promise<DeliveryReceipt> = async ({ epoch, to }) => ({ epoch, head: to })

  async deliver(delivery: Delivery): Promise<DeliveryReceipt> {
    this.deliveries.push(delivery)
    return this.answer(delivery)
  }

  /**
   * Resolves once deliveries satisfy the condition. It asks again and again, because whom a delivery woke would go on
   * within the object that delivers, where a test may not use what is its own.
   */
  async until(condition: (deliveries: readonly Delivery[]) => boolean): Promise<void> {
    await until(() => condition(this.deliveries))
  }
}

const listeners = new Map<string, Listener>()

export function listener(name: string): Listener {
  const known = listeners.get(name) ?? new Listener()
  listeners.set(name, known)
  return known
}

/** The ReplicationDO without SyncDOs behind it. */
export class LoneReplicationDO extends createReplicationObject(loneOptions) {
  constructor(ctx: DurableObjectState, env: SyncEnv) {
    const heard = { getByName: listener } as unknown as SyncEnv['SYNC']
    super(ctx, { ...withTestDatabase(env), ...loneEnv, SYNC: heard })
  }
}
