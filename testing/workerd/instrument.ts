import type { createSyncWorker } from '../../workers/index.ts'
import { CLOCK_SPEED, type ObjectCounts } from '../system/object-counts.ts'

type Parts = ReturnType<typeof createSyncWorker>
type ObjectClass = new (...args: never[]) => object

const counts = new Map<string, ObjectCounts & { open: number; sinceMs: number }>()
/** The name of the class to whose instance each native object belongs. */
const owners = new WeakMap<object, string>()
const realNow = Date.now.bind(Date)
/** The clock shows `shownMs` at the real `realMs`, and goes on from there at `speed`. */
let clock = { realMs: 0, shownMs: 0, speed: 1 }

const shownAt = (realMs: number) => clock.shownMs + (realMs - clock.realMs) * clock.speed
const realAt = (shownMs: number) => Math.ceil(clock.realMs + (shownMs - clock.shownMs) / clock.speed)

function setSpeed(speed: number): void {
  const realMs = realNow()
  clock = { realMs, shownMs: shownAt(realMs), speed }
}

function countsOf(name: string) {
  const known = counts.get(name) ?? { requests: 0, rowsWritten: 0, activeMs: 0, open: 0, sinceMs: 0 }
  counts.set(name, known)
  return known
}

async function during<Result>(name: string, work: () => Result | Promise<Result>): Promise<Result> {
  const known = countsOf(name)
  if (known.open === 0) known.sinceMs = realNow()
  known.open += 1
  try {
    return await work()
  } finally {
    known.open -= 1
    if (known.open === 0) known.activeMs += realNow() - known.sinceMs
  }
}

/** The runtime's own prototypes whose methods `patch` has replaced, which it does once. */
const patched = new Set<object>()
function patch(
  native: object,
  methods: Record<string, (original: (...args: unknown[]) => unknown) => (this: object, ...args: unknown[]) => unknown>,
): void {
  const prototype = Object.getPrototypeOf(native) as Record<string, (...args: unknown[]) => unknown>
  if (patched.has(prototype)) return
  patched.add(prototype)
  for (const [method, wrap] of Object.entries(methods)) {
    const original = prototype[method]
    if (original) prototype[method] = wrap(original)
  }
}

function own(name: string, ctx: DurableObjectState): void {
  owners.set(ctx, name).set(ctx.storage, name).set(ctx.storage.sql, name)
  patch(ctx, {
    waitUntil: (original) =>
      function (promise) {
        return original.call(
          this,
          during(owners.get(this) ?? '', () => promise),
        )
      },
  })
  patch(ctx.storage, {
    setAlarm: (original) =>
      function (atMs) {
        countsOf(owners.get(this) ?? '').rowsWritten += 1
        return original.call(this, realAt(Number(atMs)))
      },
    getAlarm: (original) =>
      async function () {
        const atMs = (await original.call(this)) as number | null
        return atMs === null ? null : shownAt(atMs)
      },
  })
  patch(ctx.storage.sql, {
    exec: (original) =>
      function (...args) {
        const cursor = original.apply(this, args) as { rowsWritten: number }
        countsOf(owners.get(this) ?? '').rowsWritten += cursor.rowsWritten
        return cursor
      },
  })
}

function counted<Class extends ObjectClass>(name: string, base: Class): Class {
  const Base = base as unknown as new (ctx: DurableObjectState, env: unknown) => object
  class Counted extends Base {
    constructor(ctx: DurableObjectState, env: unknown) {
      own(name, ctx)
      super(ctx, env)
    }
  }
  for (const method of Object.getOwnPropertyNames(base.prototype)) {
    const original = (base.prototype as Record<string, unknown>)[method]
    if (method === 'constructor' || typeof original !== 'function') continue
    Object.defineProperty(Counted.prototype, method, {
      configurable: true,
      writable: true,
      value(...args: unknown[]) {
        countsOf(name).requests += 1
        return during(name, () => original.apply(this, args))
      },
    })
  }
  return Counted as unknown as Class
}

/** Counts each class's work for `/bench/counts`, and lets time run fast from `/bench/fast` to `/bench/slow`. */
export function instrument({ worker, ReplicationDO, SyncDO, SnapshotDO }: Parts): Parts {
  Date.now = () => shownAt(realNow())
  return {
    worker: {
      ...worker,
      fetch(request: Request, ...rest: unknown[]) {
        const { pathname } = new URL(request.url)
        if (pathname === '/bench/fast') setSpeed(CLOCK_SPEED)
        else if (pathname === '/bench/slow') setSpeed(1)
        else if (pathname !== '/bench/counts')
          return (worker.fetch as (...args: unknown[]) => Response | Promise<Response>).call(worker, request, ...rest)
        return Response.json(Object.fromEntries(counts))
      },
    } as Parts['worker'],
    ReplicationDO: counted('ReplicationDO', ReplicationDO),
    SyncDO: counted('SyncDO', SyncDO),
    SnapshotDO: counted('SnapshotDO', SnapshotDO),
  }
}
