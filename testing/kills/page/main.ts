import { openReplica } from '../../../dist/client/index.js'
import { seededRandom } from '../../oracle/random.ts'
import { folderSync } from '../../writing/folder-sync.ts'
import { sayOpened, saySettled, type Word, writeOn } from '../write-on.ts'

declare global {
  interface Window {
    /** Passes a word on to the test. */
    say(word: Word): void
  }
}

/**
 * Opened as `?storage=…&seed=…&run=…`, to be killed while it writes; with `run=last` it says how everything ended. Where the
 * storage begins with `shared+`, the replica is the one of all tabs.
 */
const address = new URLSearchParams(location.search)
const [storage, seed, run] = ['storage', 'seed', 'run'].map((name) => address.get(name) ?? '')
const SHARED = 'shared+'
const isShared = storage?.startsWith(SHARED)
const replica = await openReplica({
  url: location.origin,
  user: 'ann',
  token: async () => 'token',
  sync: folderSync,
  storage: storage?.replace(SHARED, '') ?? '',
  ...(isShared
    ? { worker: () => new Worker(new URL('./replica.worker.ts', import.meta.url), { type: 'module' }) }
    : {}),
})
await sayOpened(replica, (word) => window.say(word))
if (run === 'last') await saySettled(replica, (word) => window.say(word))
else
  await writeOn(replica, { random: seededRandom(`${seed}/${run}`), run: Number(run), say: (word) => window.say(word) })
